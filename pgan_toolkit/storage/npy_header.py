"""The header of a .npy array, read with bounds: nothing is allocated on its word."""

import math
import tokenize
import warnings
from dataclasses import dataclass
from io import BufferedIOBase
from typing import Any

import numpy as np

from pgan_toolkit.errors import DataError

__all__ = ["NPY_SIGNATURE", "NpyHeader", "read_npy_header"]

NPY_SIGNATURE = b"\x93NUMPY"
_HEADER_ERRORS = (
    OSError,
    EOFError,
    KeyError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
)
_LONGEST_HEADER_BYTES = 10_000  # beyond it a parser of Python literals may be brought down


@dataclass(frozen=True)
class NpyHeader:
    """What a .npy array's header states.

    Attributes
    ----------
    shape : tuple of int
        Of the array, in C order.
    dtype : np.dtype
        Of its elements; never of Python objects.
    start : int
        Bytes before the elements: the length of the header.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    start: int

    @property
    def data_bytes(self) -> int:
        """Bytes that the elements take."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_npy_header(file: BufferedIOBase, *, available: int, name: str) -> NpyHeader:
    """Read a header and hold it against the bytes that are there.

    Parameters
    ----------
    file : BufferedIOBase
        At the start of the array. It is left where the elements begin.
    available : int
        Bytes of the whole array, with its header.
    name : str
        What an error calls it.

    Raises
    ------
    DataError
        Not a .npy array, of Python objects, in Fortran order, or longer than `available`.
    """
    try:
        version = np.lib.format.read_magic(file)
        reader = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of files from Python 2, and of odd literals
            shape, fortran_order, dtype = reader(file, max_header_size=_LONGEST_HEADER_BYTES)
    except _HEADER_ERRORS as error:
        raise DataError(
            f"{name}: the header of the NumPy array is damaged or of an unknown version "
            f"({type(error).__name__}: {str(error)[:80]!r}); write it again with np.save"
        ) from error
    return _checked(NpyHeader(shape, dtype, file.tell()), fortran_order, available, name)


def _checked(header: NpyHeader, fortran_order: bool, available: int, name: str) -> NpyHeader:
    if header.dtype.hasobject:
        raise DataError(
            f"{name}: an array of Python objects, which are never loaded, since they could run "
            "code; write arrays of numbers and texts"
        )
    if header.dtype.itemsize == 0:  # any number of such elements would take no bytes
        raise DataError(f"{name}: an array of {header.dtype}, of elements without a size")
    if fortran_order and len(header.shape) > 1:
        raise DataError(
            f"{name}: an array in Fortran order; write it with np.save(..., "
            "np.ascontiguousarray(array))"
        )
    if min(header.shape, default=0) < 0 or header.start + header.data_bytes > available:
        raise DataError(
            f"{name}: the header states {header.dtype} {header.shape}, which takes "
            f"{header.data_bytes:,} bytes, but {max(available - header.start, 0):,} are there; "
            "it is cut short: get or make it again"
        )
    return header
