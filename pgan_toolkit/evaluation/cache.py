"""A cache of what was computed of real sets, found again by what it was computed from.

The key of an entry is the SHA-256 of all that decides its numbers: the bytes of the pictures, how
they are prepared, the network, the settings and the versions of the libraries. A picture that has
changed gives another key, so that nothing stale can be found.

Each entry is one .npz file that appears by an atomic rename: processes need no lock, and two that
compute the same entry write the same file. An entry that cannot be read is computed again. Numbers
that are to be read at the speed of memory lie beside it in a file of their own.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.caches import CACHE_VARIABLE, cache_folder
from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging import pixel_library_versions
from pgan_toolkit.metrics.result import library_versions
from pgan_toolkit.storage import AtomicPath

__all__ = ["Entry", "StatisticsCache", "cache_key", "cache_limit_bytes"]

_VERSION = 2  # counts up whenever an entry means something else
_LIMIT = "PGAN_TOOLKIT_CACHE_GIB"
_DEFAULT_GIB = 10.0
_GIB = 2**30
_ABOUT = "about"
_NUMBERS, _PARTIAL = ".numbers", ".partial"
_ABANDONED_S = 86_400.0  # the age at which a file that is being written has no writer any more
_PROBE_LETTERS = 16
Value = TypeVar("Value")
_DAMAGED = (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, eq=False)
class Entry:
    """What was stored under a key.

    Attributes
    ----------
    arrays : Mapping of str to array
        Read one by one as they are asked for, so that they need not fit in memory together.
    about : Mapping of str to what JSON holds
        What else is to be known of them.
    """

    arrays: Mapping[str, NDArray[Any]]
    about: Mapping[str, Any]


def cache_key(parts: Mapping[str, Any], *, probe: str) -> str:
    """SHA-256 over what an entry is computed from, and the versions of what computes it.

    Parameters
    ----------
    parts : Mapping
        What JSON holds, in any order: digests of the pictures, preprocessing, network, settings.
    probe : str
        A digest of a few of the pictures, for `StatisticsCache.knows`. It stands before the key.
    """
    versions = {**library_versions(), **pixel_library_versions(), "cache": _VERSION}
    text = json.dumps({**parts, "versions": versions}, sort_keys=True, allow_nan=False)
    return f"{probe[:_PROBE_LETTERS]}-{hashlib.sha256(text.encode()).hexdigest()}"


def cache_limit_bytes() -> int:
    """How much the cache may hold: $PGAN_TOOLKIT_CACHE_GIB, or 10 GiB.

    Raises
    ------
    UsageError
        The variable is no number from 0.
    """
    text = os.environ.get(_LIMIT) or str(_DEFAULT_GIB)
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < float("inf"):
        raise UsageError(f"{_LIMIT}={text}: expected a number of GiB, such as 10")
    return int(limit * _GIB)


class NumbersFile:
    """A file that several threads write to, each at a place of its own.

    Attributes
    ----------
    error : OSError | None
        Why it cannot be written; nothing more is then.
    """

    def __init__(self, descriptor: int, size_bytes: int) -> None:
        self.error: OSError | None = None
        self._descriptor = descriptor
        self._missing_bytes = size_bytes
        self._lock = threading.Lock()

    @property
    def complete(self) -> bool:
        """Whether as much was written as was to be."""
        return self.error is None and not self._missing_bytes

    def write(self, array: NDArray[Any], *, at: int) -> None:
        """Write an array at a place, in bytes from the start."""
        left = array.data.cast("B")
        try:
            while left and self.error is None:
                count = os.pwrite(self._descriptor, left, at)
                left, at = left[count:], at + count
        except OSError as error:
            self.error = error
        with self._lock:
            self._missing_bytes -= array.nbytes


class StatisticsCache:
    """Entries on this machine's disk.

    Parameters
    ----------
    folder : Path | None
        Where; None: `pgan_toolkit.caches.cache_folder`. It is made when the first entry is stored.
    limit_bytes : int | None
        Entries that were not used for longest are removed beyond this; None: `cache_limit_bytes`.
    note : callable
        Told, in a line, when an entry cannot be read or stored; once of a folder that cannot be.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        limit_bytes: int | None = None,
        note: Callable[[str], object] = lambda _line: None,
    ) -> None:
        self.folder = cache_folder("statistics") if folder is None else folder
        self.limit_bytes = cache_limit_bytes() if limit_bytes is None else limit_bytes
        self._note = note
        self._is_told = False  # that the folder cannot be used

    def knows(self, probe: str) -> bool:
        """Say whether there may be an entry of pictures of which these are a few.

        Where there is none, nobody has to read all of the pictures for the key first. A folder that
        cannot be looked into has none.
        """
        try:
            return any(self.folder.glob(f"{probe[:_PROBE_LETTERS]}-*"))
        except OSError as error:  # a home of somebody else, say
            self._failed(error)
            return False

    def load(self, key: str, build: Callable[[Entry], Value]) -> Value | None:
        """Return what `build` makes of the entry of a key; None if there is none to be read."""
        path = self._path(key)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                built = build(Entry(arrays, json.loads(arrays[_ABOUT].tobytes())))
            for each in (self.numbers(key), path):
                with contextlib.suppress(OSError):  # not there, or somebody else's
                    os.utime(each)  # used now: the last to be removed
        except FileNotFoundError:
            return None
        except _DAMAGED as error:
            self._note(f"{path}: the cached entry cannot be read ({error}); it is computed again")
            return None
        return built

    def store(
        self,
        key: str,
        arrays: Iterable[tuple[str, NDArray[Any]]],
        about: Mapping[str, Any],
        *,
        size_bytes: int,
    ) -> None:
        """Keep an entry, if it fits; a place that cannot be written to is told and left alone.

        Parameters
        ----------
        key : str
            Of `cache_key`.
        arrays : iterable of (name, array)
            Taken and written one by one, so that they need not fit in memory together.
        about : Mapping
            What JSON holds.
        size_bytes : int
            Of all arrays.
        """
        if not self._fits(size_bytes):
            return
        described = np.frombuffer(json.dumps(dict(about)).encode(), dtype=np.uint8)
        try:
            with AtomicPath(self._path(key), overwrite=True) as temporary:
                _write_npz(temporary, chain([(_ABOUT, described)], arrays))
            self._trim(keep=key)
        except OSError as error:
            self._failed(error)

    def numbers(self, key: str) -> Path:
        """Where the bare numbers of an entry lie that are too many for it, if it has such."""
        return self.folder / f"{key}{_NUMBERS}"

    def remove_damaged(self, key: str) -> None:
        """Remove `numbers` that are not what they were, and tell it once."""
        try:
            self.numbers(key).unlink()
            self._note(f"{self.numbers(key)}: damaged, and removed; it is computed again")
        except FileNotFoundError:
            pass
        except OSError as error:
            self._failed(error)

    @contextlib.contextmanager
    def writing_numbers(self, key: str, *, size_bytes: int) -> Iterator["NumbersFile | None"]:
        """Give a file of so many bytes to write to, which then appears as `numbers`.

        None where they do not fit, or there is no place for them; that is told.
        """
        if not self._fits(size_bytes):
            yield None
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(_PARTIAL, dir=self.folder)
        except OSError as error:
            self._failed(error)
            yield None
            return
        file = NumbersFile(descriptor, size_bytes)
        try:
            yield file
            if file.complete:
                Path(name).replace(self.numbers(key))
            elif file.error is not None:
                self._failed(file.error)
        finally:
            os.close(descriptor)
            Path(name).unlink(missing_ok=True)

    def _fits(self, size_bytes: int) -> bool:
        if size_bytes > self.limit_bytes:
            self._note(
                f"{size_bytes / _GIB:.1f} GiB of statistics are not cached: the cache holds "
                f"{self.limit_bytes / _GIB:g} GiB ({_LIMIT} changes that)"
            )
            return False
        try:
            free = _free_bytes(self.folder)
        except OSError as error:
            self._failed(error)
            return False
        if 2 * size_bytes > free:
            self._note(
                f"{self.folder}: {size_bytes / _GIB:.1f} GiB of statistics are not cached: they "
                f"would take more than half of the {free / _GIB:.1f} GiB that are free"
            )
            return False
        return True

    def _failed(self, error: OSError) -> None:
        if self._is_told:
            return
        self._is_told = True
        self._note(
            f"{self.folder}: the statistics cannot be cached ({error.strerror or error}); name "
            f"another folder by {CACHE_VARIABLE}, or do without (--no-cache)"
        )

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"

    def _trim(self, *, keep: str) -> None:
        """Remove the entries that were not used for longest until the rest fits."""
        found = []
        for path in (*self.folder.glob("*.npz"), *self.folder.glob(f"*{_NUMBERS}")):
            with contextlib.suppress(FileNotFoundError):  # another process trims too
                status = path.stat()
                found.append((path.stem == keep, status.st_mtime_ns, status.st_size, path))
        for path in self.folder.glob(f"*{_PARTIAL}"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _ABANDONED_S:
                    path.unlink()
        total = sum(size for _, _, size, _ in found)
        for is_new, _, size, path in sorted(found):
            if total <= self.limit_bytes or is_new:
                break
            path.unlink(missing_ok=True)
            total -= size


def _free_bytes(folder: Path) -> int:
    """Room on the disk on which a folder is, or is going to be."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    return shutil.disk_usage(there).free


def _write_npz(path: Path, arrays: Iterable[tuple[str, NDArray[Any]]]) -> None:
    """As `numpy.savez`, which would hold all arrays at once."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
