"""Every error that the toolkit raises on purpose, and the exit code that each one means.

::

    PganError
    ├── CheckFailed        exit 1    a verification or a threshold failed
    ├── UsageError         exit 2    wrong arguments, settings or names
    ├── DataError          exit 3    a file or a data set is not what it should be
    ├── SetupError         exit 4    the machine lacks something: an extra, weights, a device, room
    └── Interrupted        exit 130  stopped by the user; what was done is kept

A message says what was got, what was expected, in which file, and what to do about it.
"""

__all__ = [
    "CheckFailed",
    "DataError",
    "Interrupted",
    "PganError",
    "SetupError",
    "UsageError",
]


class PganError(Exception):
    """Base of the tree. `exit_code` is what the command line exits with."""

    exit_code = 3


class CheckFailed(PganError):
    """A verification or a threshold failed; the tool itself worked."""

    exit_code = 1


class UsageError(PganError):
    """An argument, a setting or a name is wrong."""

    exit_code = 2


class DataError(PganError):
    """A file or a data set is not what it should be. The message names the file."""

    exit_code = 3


class SetupError(PganError):
    """The machine lacks something: an extra, a weight file, a device, disk space, permission."""

    exit_code = 4


class Interrupted(PganError):
    """The user stopped the work. What was finished is kept, and the same command resumes."""

    exit_code = 130
