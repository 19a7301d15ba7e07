"""Reading files, with errors that name them."""

import stat
from io import BufferedReader, BytesIO
from pathlib import Path

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.places import Place
from pgan_toolkit.storage.remote.paths import RemotePath
from pgan_toolkit.storage.remote.ranges import read_start

__all__ = ["open_file", "open_start", "read_file"]

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


def read_file(path: Place) -> bytes:
    """Read a file's bytes.

    Parameters
    ----------
    path : Path | RemotePath
        A regular file, or a link to one, or an object.

    Raises
    ------
    DataError
        As `open_file`, or it cannot be read.
    SetupError
        A remote storage does not answer, or denies access.
    """
    if isinstance(path, RemotePath):
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise _unreadable(path, error) from error
    with open_file(path) as file:
        try:
            return file.read()
        except OSError as error:
            raise _unreadable(path, error) from error


def _unreadable(path: Place, error: OSError) -> DataError:
    return DataError(f"{path}: cannot be read ({error.strerror or error})")
