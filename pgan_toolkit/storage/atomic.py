"""Files and folders that appear under their final name complete, or not at all.

Everything is written to a hidden sibling `.NAME.xxxxxxxx.partial` of the target, flushed to the
disk, and renamed. A process that was killed leaves its sibling behind; the next `AtomicPath` of the
same target removes it.

The system cannot replace a folder in one step. The old one steps aside as
`.NAME.xxxxxxxx.replaced`, the new one takes its name, and only then the old one is removed. After a
kill between these steps `put_back`, with which every `AtomicPath` begins, gives the old one its
name again.

Each sibling is locked (flock) by the process that works on it: a lock tells who lives.
"""

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal

from pgan_toolkit.errors import UsageError
from pgan_toolkit.storage.remote.urls import is_url
from pgan_toolkit.storage.system_errors import FULL_DISK, naming_errors

__all__ = ["AtomicPath", "atomic_write_bytes", "put_back", "remove_path", "sync_to_disk"]

_PARTIAL, _REPLACED = ".partial", ".replaced"
_TOKEN_DIGITS = 8
_LONG_NAME_BYTES = 200  # of the 255 that file systems take: leaves room for token and suffix
_LOCKED_WITHIN_S = 60.0  # longer than it takes a writer to lock what it has just created, empty


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
    UsageError
        `path` is a device, a pipe or an open stream.
    OSError
        The disk is full or the folder cannot be written to; the old file is then untouched. It
        names the file.
    """
    _refuse_url(path)
    _refuse_special(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _sibling(path, _PARTIAL)
    try:
        with naming_errors(str(path)), temporary.open("xb") as file:
            _lock(file.fileno())
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        remove_path(temporary)
        raise


def put_back(path: Path) -> None:
    """Give a folder its name again that a killed writer had moved aside to replace it.

    Does nothing if the name is taken, there is nothing to put back, or its writer lives. Where
    there are several, the one that was moved last is put back.

    Parameters
    ----------
    path : Path
        The final name.
    """
    with contextlib.suppress(OSError):  # no such folder, or a disk that is only read
        if os.path.lexists(path):
            return
        replaced = [entry for entry in _siblings(path, _REPLACED) if not _in_work(entry)]
        if replaced:
            max(replaced, key=lambda entry: entry.lstat().st_ctime_ns).rename(path)


class AtomicPath:
    """A place to write to that becomes `path` at `commit` and vanishes at `discard`.

    As a context manager it gives the temporary path, commits on success and discards on an error.
    The error of a full disk is then told with the path, if it names no file.

    Parameters
    ----------
    path : Path
        The final name. Missing parent folders are made.
    kind : {"file", "folder"}
        What is written: a file (created empty) or a folder (created empty).
    overwrite : bool
        Replace what already has that name; otherwise it is refused.
    over_folder : bool
        Replace a folder by a file too: for those who know what is in it.

    Attributes
    ----------
    temporary : Path
        Where to write, beside the target, hidden by a leading dot.

    Raises
    ------
    UsageError
        `path` exists and `overwrite` is false, is a folder where a file is to be, or is a device, a
        pipe or an open stream.
    OSError
        The folder cannot be written to.
    """

    def __init__(
        self,
        path: Path,
        *,
        kind: Literal["file", "folder"] = "file",
        overwrite: bool = False,
        over_folder: bool = False,
    ) -> None:
        _refuse_url(path)
        self._takes_folder = kind == "folder" or over_folder
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a link
        self.overwrite = overwrite
        put_back(self.path)
        self._refuse_existing()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(self.path)
        self.temporary = _sibling(self.path, _PARTIAL)
        self._handle = -1
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
            return
        self.discard()
        if isinstance(error, OSError) and error.errno in FULL_DISK:
            with naming_errors(str(self.path)):
                raise error

    def commit(self) -> None:
        """Flush what was written to the disk and give it the final name.

        Raises
        ------
        UsageError
            The target has come into being meanwhile and `overwrite` is false.
        OSError
            The disk is full. It names the path, and what was written is then removed.
        """
        try:
            self._flush()
            self._refuse_existing()
            self._rename()
            sync_to_disk(self.path.parent)
        except BaseException:
            self.discard()
            raise
        self._unlock()

    def discard(self) -> None:
        """Remove what was written. Does nothing after `commit`."""
        if self._handle >= 0:
            remove_path(self.temporary)
        self._unlock()

    def _refuse_existing(self) -> None:
        _refuse_special(self.path)
        if not self.overwrite and os.path.lexists(self.path):
            raise UsageError(
                f"{self.path}: exists already; choose another name, or replace it (--overwrite)"
            )
        if not self._takes_folder and self.path.is_dir() and not self.path.is_symlink():
            raise UsageError(f"{self.path}: is a folder; name the file that is to be written")

    def _create(self, kind: Literal["file", "folder"]) -> None:
        if kind == "folder":
            self.temporary.mkdir()
            self._handle = os.open(self.temporary, os.O_RDONLY)
        else:
            self._handle = os.open(self.temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        _lock(self._handle)

    def _flush(self) -> None:
        with naming_errors(str(self.path)):
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
        if not os.path.lexists(self.path):
            self.temporary.rename(self.path)
            return
        old = _sibling(self.path, _REPLACED)
        with _locked(self.path):
            self.path.rename(old)
            try:
                self.temporary.rename(self.path)
            except BaseException:
                old.rename(self.path)
                raise
            _remove_replaced(old, self.path)

    def _unlock(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _refuse_special(path: Path) -> None:
    """Refuse what a rename would destroy: /dev/null for all of a machine, or a redirected output.

    Raises
    ------
    UsageError
        It is neither a file nor a folder, or a standard stream of this process leads there.
    """
    try:
        status = path.stat()
    except OSError:
        return  # nothing there, or a link to nothing
    plain = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    if not plain or any(_is_stream(status, handle) for handle in range(3)):
        raise UsageError(
            f"{path}: is a device, a pipe or an open stream, which cannot be replaced; name a file"
        )


def _refuse_url(path: Path) -> None:
    """Refuse a URL where only a file can be written: it would become a folder called "s3:"."""
    if is_url(str(path)):
        raise UsageError(f"{path}: is a URL, and this is written to this machine alone")


def _is_stream(status: os.stat_result, handle: int) -> bool:
    try:
        return os.path.samestat(status, os.fstat(handle))
    except OSError:
        return False  # closed


def _sibling(path: Path, suffix: str) -> Path:
    return path.with_name(f"{_prefix(path)}{secrets.token_hex(_TOKEN_DIGITS // 2)}{suffix}")


def _siblings(path: Path, suffix: str) -> Iterator[Path]:
    """Whatever `_sibling` may have named for this path."""
    prefix = _prefix(path)
    for entry in path.parent.iterdir():
        token = entry.name.removeprefix(prefix).removesuffix(suffix)
        if entry.name == f"{prefix}{token}{suffix}" and len(token) == _TOKEN_DIGITS:
            yield entry


def _prefix(path: Path) -> str:
    """A dot and the name; of a long name its start and a digest, for no two may share it."""
    name = os.fsencode(path.name)
    if len(name) <= _LONG_NAME_BYTES:
        return f".{path.name}."
    digest = hashlib.blake2b(name, digest_size=8).hexdigest()
    return f".{name[: _LONG_NAME_BYTES - 20].decode('utf-8', 'ignore')}.{digest}."


def _remove_abandoned(path: Path) -> None:
    """Remove what killed writers left; what they replaced only beside what replaced it."""
    for entry in _siblings(path, _PARTIAL):
        if not _just_created(entry) and not _in_work(entry):
            remove_path(entry)
    for entry in _siblings(path, _REPLACED):
        if not _in_work(entry) and os.path.lexists(path):
            _remove_replaced(entry, path)


def _remove_replaced(entry: Path, path: Path) -> None:
    # Half removed, it must not look like something to put back.
    remove_path(entry.rename(_sibling(path, _PARTIAL)))


def _just_created(entry: Path) -> bool:
    """Whether its writer may be about to lock it."""
    try:
        status = entry.lstat()
        empty = not any(entry.iterdir()) if stat.S_ISDIR(status.st_mode) else status.st_size == 0
    except OSError:
        return True
    return empty and time.time() - status.st_mtime < _LOCKED_WITHIN_S


def _in_work(entry: Path) -> bool:
    """Whether a process has locked it, as far as the file system can tell."""
    try:
        handle = os.open(entry, os.O_RDONLY)
    except OSError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True  # its writer lives, or there are no locks here
    else:
        return False
    finally:
        os.close(handle)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of an existing file or folder, whatever it is renamed to meanwhile."""
    handle = os.open(path, os.O_RDONLY)
    try:
        _lock(handle)
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    # File systems without locks do without.
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove_path(path: Path) -> None:
    """Remove a file, a link, or a folder with all that is in it, as far as the system lets."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def sync_to_disk(path: Path) -> None:
    """Wait until a file's bytes, or the names in a folder, are on the disk.

    Raises
    ------
    OSError
        The disk is full. It names the path.
    """
    with naming_errors(str(path)):
        _fsync(path)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
