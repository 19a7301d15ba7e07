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
