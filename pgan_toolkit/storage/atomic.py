"""Files and folders that appear under their final name complete, or not at all.

Everything is written to a hidden sibling of the target, flushed to the disk, and renamed. A process
that was killed leaves its sibling behind; the next writer of the same target removes it.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import Literal

from pgan_toolkit.errors import UsageError

__all__ = ["AtomicPath", "atomic_write_bytes"]

_SUFFIX = ".partial"
_ABANDONED_AFTER_S = 60.0  # longer than it takes a writer to lock what it has just created


def atomic_write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that its name never shows less than all of `data`.

    Takes the same time in a folder of any number of files: nothing else in it is looked at.

    Parameters
    ----------
    path : Path
        The file; one that exists is replaced in one step.
    data : bytes
        What it shall hold.

    Raises
    ------
    OSError
        The disk is full or the folder cannot be written to; the old file is then untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _sibling(path)
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        _remove(temporary)
        raise


class AtomicPath:
    """A place to write to that becomes `path` at `commit` and vanishes at `discard`.

    As a context manager it gives the temporary path, commits on success and discards on an error.

    Parameters
    ----------
    path : Path
        The final name. Missing parent folders are made.
    kind : {"file", "folder"}
        What is written: a file (created empty) or a folder (created empty).
    overwrite : bool
        Replace what already has that name; otherwise it is refused.

    Attributes
    ----------
    temporary : Path
        Where to write, beside the target, hidden by a leading dot.

    Raises
    ------
    UsageError
        `path` exists and `overwrite` is false.
    OSError
        The folder cannot be written to.
    """

    def __init__(
        self, path: Path, *, kind: Literal["file", "folder"] = "file", overwrite: bool = False
    ) -> None:
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a link
        self.overwrite = overwrite
        self._refuse_existing()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(self.path)
        self.temporary = _sibling(self.path)
        self._lock = -1
        self._create(kind)

    def __enter__(self) -> Path:
        return self.temporary

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.discard()

    def commit(self) -> None:
        """Flush what was written to the disk and give it the final name.

        Raises
        ------
        UsageError
            The target has come into being meanwhile and `overwrite` is false.
        OSError
            The disk is full. What was written is then removed.
        """
        try:
            self._flush()
            self._refuse_existing()
            self._rename()
            _fsync(self.path.parent)
        except BaseException:
            self.discard()
            raise
        self._unlock()

    def discard(self) -> None:
        """Remove what was written. Does nothing after `commit`."""
        if self._lock >= 0:
            _remove(self.temporary)
        self._unlock()

    def _refuse_existing(self) -> None:
        if not self.overwrite and os.path.lexists(self.path):
            raise UsageError(
                f"{self.path}: exists already; choose another name, or replace it (--overwrite)"
            )

    def _create(self, kind: Literal["file", "folder"]) -> None:
        if kind == "folder":
            self.temporary.mkdir()
            self._lock = os.open(self.temporary, os.O_RDONLY)
        else:
            self._lock = os.open(self.temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        # The lock tells other writers that this one lives; file systems without locks do without.
        with contextlib.suppress(OSError):
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _flush(self) -> None:
        if self.temporary.is_dir():
            os.sync()  # one call, where a folder of 30,000 files would need as many
        else:
            _fsync(self.temporary)

    def _rename(self) -> None:
        if not self.path.is_symlink() and (self.path.is_dir() or self.temporary.is_dir()):
            self._swap()
        else:
            self.temporary.replace(self.path)

    def _swap(self) -> None:
        """Rename onto a folder, which the system allows only when nothing is in the way."""
        old = None
        if os.path.lexists(self.path):
            old = _sibling(self.path)
            self.path.rename(old)
        try:
            self.temporary.rename(self.path)
        except BaseException:
            if old is not None:
                old.rename(self.path)
            raise
        if old is not None:
            _remove(old)

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _sibling(path: Path) -> Path:
    return path.with_name(f".{_shortened(path.name)}.{secrets.token_hex(4)}{_SUFFIX}")


def _shortened(name: str) -> str:
    """As much of a name as leaves room for the rest within a file system's 255 bytes."""
    return os.fsencode(name)[:200].decode("utf-8", "ignore")


def _remove_abandoned(path: Path) -> None:
    prefix = f".{_shortened(path.name)}."
    for entry in path.parent.iterdir():
        token = entry.name.removeprefix(prefix).removesuffix(_SUFFIX)
        if entry.name == f"{prefix}{token}{_SUFFIX}" and len(token) == 8 and _abandoned(entry):
            _remove(entry)


def _abandoned(entry: Path) -> bool:
    try:
        if time.time() - entry.lstat().st_mtime < _ABANDONED_AFTER_S:
            return False
        handle = os.open(entry, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False  # its writer lives, or the file system cannot tell
    else:
        return True
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
