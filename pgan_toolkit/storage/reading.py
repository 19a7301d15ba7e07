"""Reading files, with errors that name them."""

import stat
from io import BufferedReader
from pathlib import Path

from pgan_toolkit.errors import DataError

__all__ = ["open_file", "read_file"]


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


def read_file(path: Path) -> bytes:
    """Read a file's bytes.

    Parameters
    ----------
    path : Path
        A regular file, or a link to one.

    Raises
    ------
    DataError
        As `open_file`, or it cannot be read.
    """
    with open_file(path) as file:
        try:
            return file.read()
        except OSError as error:
            raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: cannot be read ({error.strerror or error})")
