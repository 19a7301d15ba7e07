"""Reading whole files, with errors that name them."""

import stat
from pathlib import Path

from pgan_toolkit.errors import DataError

__all__ = ["read_file"]


def read_file(path: Path) -> bytes:
    """Read a file's bytes.

    Parameters
    ----------
    path : Path
        A regular file, or a link to one.

    Raises
    ------
    DataError
        It cannot be read, or is a folder, a pipe or a device, which would be read for ever.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{path}: not a file; remove it or leave it out")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
