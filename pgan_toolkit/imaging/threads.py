"""How many threads OpenCV may use in this process."""

import cv2

__all__ = ["limit_threads"]


def limit_threads(count: int) -> None:
    """Let OpenCV use at most so many threads in this process.

    Worker processes use one each: the parallel work is in the number of photographs.
    """
    cv2.setNumThreads(count)
