"""How many threads the array libraries may use in this process."""

import cv2
import threadpoolctl

__all__ = ["limit_threads"]


def limit_threads(count: int) -> None:
    """Let OpenCV and NumPy's linear algebra use at most so many threads in this process.

    Worker processes use one each: the parallel work is in the number of photographs. A pool that
    waits for more of it spins, and takes the other workers' cores.
    """
    cv2.setNumThreads(count)
    threadpoolctl.threadpool_limits(limits=count)
