"""Errors of the system with the name of the file that they are about."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator

__all__ = ["FULL_DISK", "naming_errors"]

FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Numbers of the errors that say that a file cannot grow: disk, quota and limit of the process."""
_IN_WORDS = re.compile(r"errno = (\d+)")


@contextlib.contextmanager
def naming_errors(name: str) -> Iterator[None]:
    """Name the file in an error of writing it: of a full disk the system tells none.

    An error that names a file, or has no number, is raised as it is.

    Parameters
    ----------
    name : str
        The file or the dataset that is being written.

    Raises
    ------
    OSError
        With the number and the words of the system's error, and `name` as its filename. HDF5 tells
        the number in words.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        number = _number(error)
        if number is None or getattr(error, "filename", None) is not None:
            raise
        raise OSError(number, os.strerror(number), name) from error


def _number(error: OSError | RuntimeError) -> int | None:
    told = _IN_WORDS.search(str(error))
    return int(told[1]) if told else getattr(error, "errno", None)
