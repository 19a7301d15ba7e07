"""What is written to a remote storage: made on this machine first, and visible when it is whole.

A file is sent in parts that become one object in one step, or nothing. A folder is many objects,
and no storage shows many in one step. So an object `INCOMPLETE` is written before the first and
removed after the last: while it is there, the folder is not opened, and counts as absent.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from pgan_toolkit.caches import cache_folder
from pgan_toolkit.errors import DataError, PganError, UsageError
from pgan_toolkit.storage.atomic import AtomicPath, remove_path
from pgan_toolkit.storage.keys import LABELS_FILE
from pgan_toolkit.storage.remote.connections import filesystem
from pgan_toolkit.storage.remote.paths import RemotePath, RemoteStatus
from pgan_toolkit.storage.remote.retrying import RetryPolicy, retried

__all__ = [
    "INCOMPLETE",
    "RemoteTarget",
    "folder_tag",
    "is_incomplete",
    "refuse_incomplete",
    "refuse_unwritable",
    "remove_remote",
    "upload",
]

INCOMPLETE = ".pgan-toolkit-incomplete"
"""Name of the object that says that a folder is being written, or was when its writer died."""
_THREADS = 8
_PART_BYTES = 16 << 20
_MOST_PARTS = 9_000  # S3 takes 10,000
_IN_PARTS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"})
"""Storages whose uploads in parts become visible when they are committed."""
_IN_ONE_STEP = frozenset({"hf", "memory"})
"""Storages that show a file that was put whole, or not."""
_READ_ONLY = frozenset({"http", "https"})
_ONCE = RetryPolicy(attempts=1)  # the connection itself repeats what failed of an upload


class RemoteTarget:
    """A local place to write to that becomes a remote file or folder at `commit`.

    The counterpart of `AtomicPath`.

    Parameters
    ----------
    path : RemotePath
        The final name.
    kind : {"file", "folder"}
        What is written.
    overwrite : bool
        Replace what has that name. What an upload left that did not end is replaced in any case.

    Attributes
    ----------
    temporary : Path
        Where to write: in `cache_folder("staging")`.

    Raises
    ------
    UsageError
        The name is taken, or the storage cannot be written to.
    """

    def __init__(
        self, path: RemotePath, *, kind: Literal["file", "folder"], overwrite: bool
    ) -> None:
        refuse_unwritable(path)
        self.path, self._overwrite, self._kind = path, overwrite, kind
        self._refuse_existing()
        name = hashlib.sha256(str(path).encode()).hexdigest()[:32]
        staged = cache_folder("staging") / name / path.name
        self._local = AtomicPath(staged, kind=kind, overwrite=True, over_folder=True)
        self.temporary = self._local.temporary

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
        """Send what was written, and make it visible.

        Raises
        ------
        UsageError
            The name was taken meanwhile and `overwrite` is false.
        SetupError
            The storage cannot be written to. Nothing of a file is then there.

        With either, what was made stays on this machine, and the message says where.
        """
        kept = self._local.path
        try:
            self._refuse_existing()
            upload(self.temporary, self.path)
        except PganError as error:
            self._local.commit()
            raise type(error)(
                f"{error}; what was to be sent is kept as {kept}: send it from there, or remove it"
            ) from error
        except BaseException:
            self.discard()
            raise
        remove_path(kept)  # what an earlier upload to the same place could not send
        self.discard()

    def discard(self) -> None:
        """Remove what was written on this machine."""
        self._local.discard()
        with contextlib.suppress(OSError):
            self._local.path.parent.rmdir()

    def _refuse_existing(self) -> None:
        if self._kind == "file" and self.path.is_dir():
            raise UsageError(f"{self.path}: objects lie below this name; choose another for a file")
        if not self._overwrite and self.path.exists() and not is_incomplete(self.path):
            raise UsageError(
                f"{self.path}: exists already; choose another name, or replace it (--overwrite)"
            )


def upload(made: Path, path: RemotePath) -> None:
    """Send a file or a folder, and make it visible when all of it is there.

    What a folder of that name held and `made` does not hold is removed.

    Raises
    ------
    SetupError
        The storage cannot be written to.
    """
    if made.is_dir():
        _send_folder(made, path)
    else:
        _send_file(made, path)


def is_incomplete(path: RemotePath) -> bool:
    """Whether a folder is being written, or its writer died."""
    return (path / INCOMPLETE).exists()


def refuse_incomplete(path: RemotePath) -> None:
    """Refuse a folder of which a part may be missing.

    Raises
    ------
    DataError
        It says how to go on.
    """
    if is_incomplete(path):
        raise DataError(
            f"{path}: is being written, or its writing was broken off ({INCOMPLETE} is there); "
            "write it again, or remove it"
        )


def refuse_unwritable(path: RemotePath) -> None:
    """Refuse a storage that is only read.

    Raises
    ------
    UsageError
        A web server.
    """
    if path.scheme in _READ_ONLY:
        raise UsageError(f"{path}: {path.scheme}:// is only read; write to s3://, gs:// or hf://")


def remove_remote(path: RemotePath) -> None:
    """Remove an object, or all objects below a name; none is no error.

    The mark of an incomplete folder is set first, so that half of it is never taken for whole.
    """
    if path.is_file():
        _delete(path)
        return
    names = path.files()
    if names:
        _put(path / INCOMPLETE, b"")
        _delete_all(path, [name for name in names if name != INCOMPLETE])
        _delete(path / INCOMPLETE)


def _send_folder(made: Path, path: RemotePath) -> None:
    files = sorted(file for file in made.rglob("*") if file.is_file())
    names = {file.relative_to(made).as_posix(): file for file in files}
    before = path.files()
    _put(path / INCOMPLETE, b"")
    with _pool() as pool:
        # Consumed, so that the first error is raised; the labels, which list the others, are last.
        first = [name for name in names if name != LABELS_FILE]
        list(pool.map(lambda name: _send_file(names[name], path / name), first))
    if LABELS_FILE in names:
        _send_file(names[LABELS_FILE], path / LABELS_FILE)
    _delete_all(path, [name for name in before if name not in names and name != INCOMPLETE])
    _delete(path / INCOMPLETE)


@contextlib.contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that start nothing more once one has failed."""
    pool = ThreadPoolExecutor(_THREADS)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _send_file(file: Path, path: RemotePath) -> None:
    size = file.stat().st_size
    if size <= _PART_BYTES and path.scheme in _IN_PARTS | _IN_ONE_STEP:
        _put(path, file.read_bytes())
    elif path.scheme in _IN_PARTS:
        retried(lambda: _send_parts(file, path, size), url=str(path), policy=_ONCE)
    else:
        retried(lambda: _send_whole(file, path), url=str(path), policy=_ONCE)


def _send_parts(file: Path, path: RemotePath, size: int) -> None:
    """Send a file in parts; on any error or interruption they are taken back."""
    store = filesystem(path.scheme, uploading=True)
    part_bytes = max(_PART_BYTES, size // _MOST_PARTS + 1)
    out = store.open(path.stored_name, "wb", block_size=part_bytes, autocommit=False)
    try:
        with file.open("rb") as data:
            while piece := data.read(part_bytes):
                out.write(piece)
        out.close()
        out.commit()
    except BaseException:
        _take_back(out)
        raise


def _take_back(out: Any) -> None:
    # Its own error would hide the first; parts that stay are not visible under any name.
    with contextlib.suppress(Exception):
        out.discard()
    out.closed = True  # or it would be flushed once more when it is collected


def _send_whole(file: Path, path: RemotePath) -> None:
    """Put a file; under another name first where a half of it would be visible."""
    store = filesystem(path.scheme, uploading=True)
    if path.scheme in _IN_ONE_STEP:
        store.put_file(str(file), path.stored_name)
        return
    partial = path.with_name(f".{path.name}.partial")
    store.makedirs(path.parent.stored_name, exist_ok=True)
    store.put_file(str(file), partial.stored_name)
    store.mv(partial.stored_name, path.stored_name)


def _put(path: RemotePath, data: bytes) -> None:
    store = filesystem(path.scheme)
    retried(lambda: store.pipe_file(path.stored_name, data), url=str(path))


def _delete(path: RemotePath) -> None:
    store = filesystem(path.scheme)
    with contextlib.suppress(FileNotFoundError):
        retried(lambda: store.rm_file(path.stored_name), url=str(path))


def _delete_all(path: RemotePath, names: list[str]) -> None:
    with _pool() as pool:
        list(pool.map(lambda name: _delete(path / name), names))


def folder_tag(files: Mapping[str, RemoteStatus]) -> str:
    """Digest of the names and the objects of a folder, as `RemotePath.files` lists them."""
    rows = sorted(f"{name} {status.tag} {status.st_size}" for name, status in files.items())
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
