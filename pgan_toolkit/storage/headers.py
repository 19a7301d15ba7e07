"""A picture's header, without the rest of its file."""

import zipfile
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import PictureFile, image_size
from pgan_toolkit.storage.encodings import encoding_of

__all__ = ["READ_ERRORS", "header_of", "read_header"]

READ_ERRORS = (
    OSError,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a member of a damaged zip file may raise."""

_ENCODING_BYTES = 16


def read_header(
    opening: Callable[[], AbstractContextManager[PictureFile]],
    reading: Callable[[], bytes],
    *,
    name: str,
) -> tuple[int, int, str]:
    """Height, width and encoding of a picture, read from as much of its file as that takes.

    The decoder is given the open file and goes as far as it likes: of PNG, JPEG, BMP and PPM past
    the header's end; WebP and AVIF it reads whole. So the answer is that of the whole file.

    Parameters
    ----------
    opening : callable
        Opens the file at its start.
    reading : callable
        Reads it whole. Called where the header could not be read, so that the error is that of
        the whole file.
    name : str
        What an error calls it.

    Raises
    ------
    DataError
        The file cannot be read, or is no picture.
    """
    with suppress(DataError, *READ_ERRORS), opening() as file:
        encoding = encoding_of(file.read(_ENCODING_BYTES))
        return *image_size(file, name=name), encoding
    return header_of(reading(), name=name)


def header_of(data: bytes, *, name: str) -> tuple[int, int, str]:
    """Height, width and encoding of a picture, of its file's contents.

    Raises
    ------
    DataError
        It is no picture.
    """
    return *image_size(data, name=name), encoding_of(data)
