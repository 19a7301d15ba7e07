"""A place that one process at a time may work in."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from pgan_toolkit.errors import SetupError
from pgan_toolkit.storage.system_errors import naming_errors

__all__ = ["is_locked", "lock_file"]

_ASK_AGAIN_S = 0.05


@contextlib.contextmanager
def lock_file(path: Path, *, work: str) -> Iterator[None]:
    """Hold a file's lock (flock); the system releases it however this process ends.

    Parameters
    ----------
    path : Path
        The file, in a folder that exists; made where there is none. It will hold the process's
        number.
    work : str
        What the place is held for, as a message names it: "build".

    Raises
    ------
    SetupError
        Another process holds it, or the file system knows no locks.
    OSError
        The disk is full. It names the file.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _hold(handle, path, work)
        with naming_errors(str(path)):
            os.ftruncate(handle, 0)
            os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)


def is_locked(path: Path) -> bool:
    """Whether another process holds a file's lock; False where there is no file."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _hold(handle: int, path: Path, work: str) -> None:
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # or `is_locked` asks just now
            time.sleep(_ASK_AGAIN_S)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
        raise SetupError(
            f"{path.parent}: another {work} (process {holder}) is at work here; "
            "wait for it, or choose another --out"
        ) from error
    except OSError as error:
        raise SetupError(
            f"{path}: this file system cannot lock files ({error.strerror}); "
            "choose an --out on another"
        ) from error
