"""IDX files, in which MNIST is published: a magic number, the sizes, and the bytes of an array."""

import gzip
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.reading import read_file

__all__ = ["IdxArray", "read_idx"]

IdxArray = UInt8[np.ndarray, "..."]
"""Bytes of as many dimensions as the file has."""

_GZIP_SIGNATURE = b"\x1f\x8b"
_CHUNK_BYTES = 1 << 20
_MOST_BYTES = 1 << 30
_UNSIGNED_BYTE = 0x08  # the third byte of the magic number is the type of the elements
_REMEDY = "get the official MNIST file again"


def read_idx(path: Path, *, ndim: int) -> IdxArray:
    """Read an IDX file of unsigned bytes, compressed by gzip or not, as its contents tell.

    Parameters
    ----------
    path : Path
        As "train-images-idx3-ubyte.gz".
    ndim : int
        Dimensions that it must have: 3 for images (N, H, W), 1 for labels (N,).

    Returns
    -------
    IdxArray
        uint8, C-contiguous.

    Raises
    ------
    DataError
        It cannot be read, is no such file, or is shorter or longer than its sizes say.
    """
    data = _unzipped(path, read_file(path), ndim=ndim)
    expected = bytes([0, 0, _UNSIGNED_BYTE, ndim])
    if data[:4] != expected:
        raise DataError(
            f"{path}: begins with {data[:4].hex(' ') or 'nothing'}; expected "
            f"{expected.hex(' ')}, an IDX file of bytes in {ndim} dimensions; {_REMEDY}"
        )
    header_bytes = 4 + 4 * ndim
    if len(data) < header_bytes:
        raise DataError(f"{path}: {len(data)} bytes, cut short within its sizes; {_REMEDY}")
    shape = struct.unpack(f">{ndim}I", data[4:header_bytes])
    expected_bytes = header_bytes + math.prod(shape)
    if len(data) != expected_bytes:
        raise DataError(
            f"{path}: {len(data):,} bytes; expected {expected_bytes:,} for the sizes "
            f"{' x '.join(map(str, shape))} that it names; {_REMEDY}"
        )
    return np.frombuffer(data, np.uint8, offset=header_bytes).reshape(shape).copy()


def _unzipped(path: Path, data: bytes, *, ndim: int) -> bytes:
    """Unpack no more than one byte beyond what the sizes call for."""
    header_bytes = 4 + 4 * ndim
    if not data.startswith(_GZIP_SIGNATURE):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            found = bytearray(file.read(header_bytes))
            if len(found) < header_bytes:
                return bytes(found)
            left = math.prod(struct.unpack_from(f">{ndim}I", found, 4)) + 1
            while (chunk := file.read(min(left, _CHUNK_BYTES))) and len(found) < _MOST_BYTES:
                found += chunk
                left -= len(chunk)
            return bytes(found)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip data ({error}); {_REMEDY}") from error
