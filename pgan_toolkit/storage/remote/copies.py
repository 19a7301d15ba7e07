"""Copies of remote archives on this machine, for formats that are not read by parts.

They lie in `cache_folder("remote")`, each in a folder that is named by the URL and by what the
storage says of the object: one that was replaced has another name, and is fetched anew.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pgan_toolkit.caches import CACHE_VARIABLE, cache_folder
from pgan_toolkit.errors import DataError, SetupError
from pgan_toolkit.storage.atomic import AtomicPath
from pgan_toolkit.storage.remote.connections import filesystem
from pgan_toolkit.storage.remote.paths import RemotePath, RemoteStatus
from pgan_toolkit.storage.remote.ranges import RangeReader
from pgan_toolkit.storage.remote.retrying import retried

__all__ = ["LIMIT_VARIABLE", "local_copy"]

LIMIT_VARIABLE = "PGAN_TOOLKIT_REMOTE_CACHE_GB"
"""Environment variable: 10^9 bytes that all copies together may take."""
_DEFAULT_GB = 50.0
_PIECE_BYTES = 16 << 20


def local_copy(path: RemotePath, status: RemoteStatus, *, fresh: bool = False) -> Path:
    """Return a copy of an object, fetched where it is not there; the oldest make room for it.

    Of several processes that want the same object one fetches it and the others wait.

    Parameters
    ----------
    path : RemotePath
        The object.
    status : RemoteStatus
        What it is.
    fresh : bool
        Fetch it in any case: for storages that do not tell one object from another.

    Raises
    ------
    DataError
        The object was replaced.
    SetupError
        It cannot be fetched, or takes more than the cache may.
    """
    root = cache_folder("remote")
    name = hashlib.sha256(f"{path}\n{status.tag}\n{status.st_size}".encode()).hexdigest()[:32]
    copy = root / name / path.name
    try:
        if not copy.exists() or fresh:
            copy.parent.mkdir(parents=True, exist_ok=True)
            with _alone(root / f"{name}.lock"):
                if not copy.exists() or fresh:
                    _make_room(root, status, path)
                    _fetch(path, status, copy)
        os.utime(copy.parent)  # when it was used last
    except OSError as error:
        raise SetupError(
            f"{path}: cannot be copied to {root} ({error.strerror or error}); ${CACHE_VARIABLE} "
            "names another place"
        ) from error
    return copy


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait for the lock of a file; the system releases it however its holder ends."""
    with lock.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(path: RemotePath, status: RemoteStatus, copy: Path) -> None:
    with AtomicPath(copy, overwrite=True) as partial:
        if status.ranges:
            reader = RangeReader(path, status)
            with partial.open("wb") as file:
                for offset in range(0, status.st_size, _PIECE_BYTES):
                    file.write(reader.read(offset, _PIECE_BYTES))
        else:
            store, name = filesystem(path.scheme), path.stored_name
            retried(lambda: store.get_file(name, str(partial)), url=str(path))
        if path.stat() != status:
            raise DataError(f"{path}: was replaced while it was copied; run the command again")


def _make_room(root: Path, status: RemoteStatus, path: RemotePath) -> None:
    """Remove the copies that were not used for longest."""
    limit = _limit_bytes()
    if status.st_size > limit:
        raise SetupError(
            f"{path}: takes {status.st_size / 1e9:.1f} GB, and copies of remote archives may take "
            f"{limit / 1e9:g}; raise ${LIMIT_VARIABLE}, or store it as zip, HDF5 or WebDataset, "
            "which are read by parts"
        )
    folders = sorted(
        (entry for entry in root.iterdir() if entry.is_dir()), key=lambda e: e.stat().st_mtime
    )
    sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in folders]
    excess = sum(sizes) + status.st_size - limit
    for folder, size in zip(folders, sizes, strict=True):
        if excess <= 0:
            break
        shutil.rmtree(folder, ignore_errors=True)  # who reads it has it open, or fetches it anew
        excess -= size
    free = shutil.disk_usage(root).free
    if status.st_size > free:
        raise SetupError(
            f"{path}: takes {status.st_size / 1e9:.1f} GB, and {root} has {free / 1e9:.1f} GB of "
            f"room; make room, or name another place by ${CACHE_VARIABLE}"
        )


def _limit_bytes() -> float:
    named = os.environ.get(LIMIT_VARIABLE, "")
    try:
        limit = float(named) if named else _DEFAULT_GB
    except ValueError:
        limit = -1.0
    if not limit >= 0:
        raise SetupError(f"${LIMIT_VARIABLE}: {named!r}; expected a number of GB such as 50")
    return limit * 1e9
