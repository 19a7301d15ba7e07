"""Reading files, with errors that name them."""

import os
import stat
from io import BufferedReader, BytesIO
from pathlib import Path

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.places import Place
from pgan_toolkit.storage.remote.paths import RemotePath
from pgan_toolkit.storage.remote.ranges import read_start

__all__ = [
    "MOST_FILE_BYTES",
    "MOST_PICTURE_BYTES",
    "MOST_TEXT_BYTES",
    "check_picture_bytes",
    "open_file",
    "open_start",
    "read_file",
]

MOST_FILE_BYTES = 4 << 30
"""Files that are held in memory whole are refused beyond this."""
MOST_PICTURE_BYTES = 512 << 20
"""Files of one picture, packed or unpacked: more than 100 megapixels of 8-bit RGB need."""
MOST_TEXT_BYTES = 256 << 20
"""Tables and other texts, which take up to ten times as much memory once they are read."""

_START_BYTES = 1 << 16


def open_start(path: Place) -> BufferedReader | BytesIO:
    """Open a file to read its header: of a remote one the first 64 KiB alone are there.

    Raises
    ------
    DataError
        As `open_file`.
    """
    if isinstance(path, Path):
        return open_file(path)
    try:
        return BytesIO(read_start(path, _START_BYTES))
    except FileNotFoundError as error:
        raise _unreadable(path, error) from error


def open_file(path: Path) -> BufferedReader:
    """Open a file to read some of its bytes.

    Parameters
    ----------
    path : Path
        A regular file, or a link to one.

    Raises
    ------
    DataError
        It cannot be opened, or is a folder, a pipe or a device, which would be read for ever.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{path}: not a file; remove it or leave it out")
        return path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error


def read_file(path: Place, *, most_bytes: int = MOST_FILE_BYTES) -> bytes:
    """Read a file's bytes.

    Parameters
    ----------
    path : Path | RemotePath
        A regular file, or a link to one, or an object.
    most_bytes : int
        A larger one is refused: a file unread, an object as soon as it is here.

    Raises
    ------
    DataError
        As `open_file`, or it cannot be read, or is too large.
    SetupError
        A remote storage does not answer, or denies access.
    """
    if isinstance(path, RemotePath):
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise _unreadable(path, error) from error
        _check_bytes(path, len(data), most_bytes)
        return data
    with open_file(path) as file:
        try:
            _check_bytes(path, os.fstat(file.fileno()).st_size, most_bytes)
            return file.read()
        except OSError as error:
            raise _unreadable(path, error) from error


def check_picture_bytes(size: int, *, name: str) -> None:
    """Refuse a picture file that is too large to be held, before it is read or unpacked.

    Raises
    ------
    DataError
        It takes more than `MOST_PICTURE_BYTES`.
    """
    if size > MOST_PICTURE_BYTES:
        raise DataError(
            f"{name}: {size:,} bytes; a picture's file may take {MOST_PICTURE_BYTES:,}: make it "
            "smaller or leave it out"
        )


def _check_bytes(path: Place, size: int, most_bytes: int) -> None:
    if size > most_bytes:
        raise DataError(
            f"{path}: {size:,} bytes; expected at most {most_bytes:,}: it is no such file"
        )


def _unreadable(path: Place, error: OSError) -> DataError:
    return DataError(f"{path}: cannot be read ({error.strerror or error})")
