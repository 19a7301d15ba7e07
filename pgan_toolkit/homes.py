"""Paths that begin with ~."""

from pathlib import Path

from pgan_toolkit.errors import UsageError

__all__ = ["expanded"]


def expanded(path: str | Path) -> Path:
    """Return the path with ~ or ~USER in front of it replaced by the home folder.

    Raises
    ------
    UsageError
        There is no such user, or nobody knows this user's folder, as in a container without HOME.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UsageError(
            f"{path}: the home folder is not known; name the whole path, or set HOME"
        ) from error
