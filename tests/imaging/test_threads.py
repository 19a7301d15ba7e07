"""Workers use one thread each, whatever library would like more."""

import subprocess
import sys


def test_all_pools_are_limited() -> None:
    code = (
        "import cv2, numpy, scipy.linalg, threadpoolctl\n"
        "from pgan_toolkit.imaging import limit_threads\n"
        "limit_threads(1); pools = threadpoolctl.threadpool_info()\n"
        "print(cv2.getNumThreads(), len(pools), *{pool['num_threads'] for pool in pools})"
    )  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    opencv, pools, *threads = map(int, done.stdout.split())
    assert opencv == 1
    assert pools >= 1
    assert threads == [1]


IN_A_BLOCK = """
import cv2, numpy, scipy.linalg, threadpoolctl, torch
from concurrent.futures import ThreadPoolExecutor
from pgan_toolkit.imaging import limit_threads, threads_kept

def show():
    pools = {pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(torch.get_num_threads).result()
    print(cv2.getNumThreads(), torch.get_num_threads(), later, *pools)

limit_threads(3)
torch.set_num_threads(3)
try:
    with threads_kept():
        limit_threads(1)
        torch.set_num_threads(1)
        show()
        raise KeyError
except KeyError:
    show()
"""


def test_what_is_limited_in_a_block_is_as_before_after_it_however_it_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_BLOCK], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["1 1 1 1", "3 3 3 3"]
