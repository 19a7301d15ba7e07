"""Errors that are the machine's: memory that ran out, a GPU that failed."""

import re

__all__ = ["is_fault_of_the_machine"]

_WORDS = re.compile(
    r"CUDA (driver )?error|cuDNN error|CU(BLAS|DNN|FFT)_|CUDA out of memory|"
    r"can't allocate memory|Insufficient memory"
)


def is_fault_of_the_machine(error: BaseException) -> bool:
    """Whether memory or a GPU failed, which says nothing of what was computed.

    torch, CUDA's libraries and OpenCV tell it by their words alone, most of the time; their classes
    are not asked for, so that nothing has to be loaded for it.
    """
    return isinstance(error, MemoryError) or bool(_WORDS.search(str(error)))
