"""How many threads the array libraries may use in this process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import threadpoolctl

__all__ = ["limit_threads", "threads_kept"]


def limit_threads(count: int) -> None:
    """Let OpenCV and NumPy's linear algebra use at most so many threads in this process.

    Worker processes use one each: the parallel work is in the number of photographs. A pool that
    waits for more of it spins, and takes the other workers' cores. A process that goes on with
    other work afterwards does this in `threads_kept`.
    """
    cv2.setNumThreads(count)
    threadpoolctl.threadpool_limits(limits=count)


@contextmanager
def threads_kept() -> Iterator[None]:
    """Let OpenCV, linear algebra and torch use, after this block, as many threads as before it.

    Of the libraries that are loaded when it begins; torch is not loaded for it. The limits are the
    process's: blocks of several threads must not overlap.
    """
    torch = sys.modules.get("torch")
    of_torch = 0 if torch is None else torch.get_num_threads()
    of_opencv = cv2.getNumThreads()
    try:
        with threadpoolctl.threadpool_limits(limits=None):  # sets none, and puts back all
            yield
    finally:
        cv2.setNumThreads(of_opencv)
        # Last, and besides OpenMP's own limit: threads that begin later ask torch for theirs.
        if torch is not None:
            torch.set_num_threads(of_torch)
