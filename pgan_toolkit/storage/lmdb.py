"""Data sets in LMDB, as LSUN ships them: key -> the bytes of a picture file. Extra `lmdb`.

Described in docs/formats.md. The library may open an environment once in a process and not use it
after a fork. So it is opened for each reading and closed again, one thread at a time.
"""

import contextlib
import importlib
import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError, SetupError
from pgan_toolkit.imaging import decode_image, encode_png, image_size
from pgan_toolkit.storage.base import PictureInfo, StoredSink, StoredSource
from pgan_toolkit.storage.encodings import encoding_of
from pgan_toolkit.storage.keys import LABELS_FILE, KeyRegister
from pgan_toolkit.storage.labels import format_labels, parse_labels
from pgan_toolkit.storage.records import Record
from pgan_toolkit.storage.replacing import refuse_to_replace_other_files

__all__ = ["DATA_FILE", "LmdbSink", "LmdbSource", "starts_as_lmdb"]

FORMAT = "lmdb"
DATA_FILE = "data.mdb"
_MAGIC = struct.pack("<I", 0xBEEFC0DE)
_MAGIC_PLACE = 16  # behind the header of the first page
_META = struct.Struct("<16x4sI16xI92xQ")  # magic, version, bytes of a page, last page
_VERSION = 1
_LOOSE_PAGES = 16  # that the last transaction took and gave back need not be in the file
_NO_PICTURES = frozenset({b"length", b"__len__", b"__keys__", b"num-samples"})
"""Keys under which other programs note how many pictures there are."""
_MOST_KEY_BYTES = 511
_MAP_BYTES = 1 << 40  # of address space; the file grows with what is written
_BATCH_BYTES = 64 << 20  # a transaction keeps what it wrote in memory

_lock = threading.Lock()
os.register_at_fork(
    before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
)


class LmdbSource(StoredSource):
    """The pictures of an LMDB environment, in the order of their keys' bytes.

    Nothing is written, no lock file either: no other program may write to it meanwhile.

    Parameters
    ----------
    path : Path
        A folder that holds data.mdb, or such a file.

    Raises
    ------
    SetupError
        The package lmdb is missing.
    DataError
        Damaged or cut short, or a key is unsafe or no text.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        _check_length(self.path)
        with _reading(self.path) as transaction:
            cursor = transaction.cursor()
            self._stored_keys = [
                bytes(key)
                for key in cursor.iternext(keys=True, values=False)
                if bytes(key) not in _NO_PICTURES
            ]
        keys = [_text(key, self.path) for key in self._stored_keys]
        register = KeyRegister(str(path))
        for key in keys:
            register.add(key)
        labels = _read_labels(self.path)
        super().__init__(
            self.path, format_name=FORMAT, keys=keys, labels=[labels.get(key) for key in keys]
        )

    def _read(self, index: int) -> Image:
        return decode_image(self._encoded(index), name=self._name(index))

    def _inspect(self, index: int) -> PictureInfo:
        data = self._encoded(index)
        height, width = image_size(data, name=self._name(index))
        return PictureInfo(height, width, len(data), encoding_of(data))

    def _encoded(self, index: int) -> bytes:
        with _reading(self.path) as transaction:
            data = transaction.get(self._stored_keys[index])
        if data is None:
            raise DataError(f"{self._name(index)}: is not there any more; open the set anew")
        return bytes(data)


class LmdbSink(StoredSink):
    """Writes a folder of data.mdb, PNG files by key, and dataset.json where there are labels."""

    kind: ClassVar[Literal["file", "folder"]] = "folder"

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        package = _package()
        if overwrite:
            refuse_to_replace_other_files(path)
        super().__init__(path, overwrite=overwrite)
        self._labels: list[tuple[str, int | None]] = []
        self._waiting: list[tuple[bytes, bytes]] = []
        self._waiting_bytes = 0
        # The temporary folder is locked already, and no one else knows its name.
        try:
            self._environment: Any = package.open(
                str(self._target.temporary), map_size=_MAP_BYTES, lock=False, sync=False
            )
        except package.Error as error:
            self._target.discard()
            raise OSError(f"{path}: LMDB could not be opened for writing ({error})") from error

    def _put(self, record: Record) -> None:
        self._put_encoded(record.key, encode_png(record.image), record.label)

    def _put_encoded(self, key: str, data: bytes, label: int | None) -> None:
        stored_key = key.encode()
        if len(stored_key) > _MOST_KEY_BYTES:
            raise DataError(
                f"{self.path}: the key {key[:40]!r}... has {len(stored_key)} bytes, and LMDB takes "
                f"{_MOST_KEY_BYTES}; rename it, or write another format"
            )
        self._waiting.append((stored_key, data))
        self._waiting_bytes += len(data)
        self._labels.append((key, label))
        if self._waiting_bytes > _BATCH_BYTES:
            self._write()

    def _write(self) -> None:
        try:
            with self._environment.begin(write=True) as transaction:
                for key, data in self._waiting:
                    transaction.put(key, data)
        except _package().Error as error:
            raise OSError(f"{self.path}: LMDB could not write ({error})") from error
        self._waiting.clear()
        self._waiting_bytes = 0

    def _finish(self) -> None:
        self._write()
        self._environment.close()
        if any(label is not None for _, label in self._labels):
            (self._target.temporary / LABELS_FILE).write_bytes(format_labels(self._labels))

    def _abandon(self) -> None:
        self._environment.close()


def starts_as_lmdb(start: bytes) -> bool:
    """Whether the first bytes of a file are those of an LMDB environment."""
    return start[_MAGIC_PLACE:].startswith(_MAGIC)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """Open the environment for one transaction that reads."""
    package = _package()
    with _lock:
        try:
            environment = package.open(
                str(path), subdir=path.is_dir(), readonly=True, lock=False, readahead=False
            )
            with contextlib.closing(environment), environment.begin() as transaction:
                yield transaction
        except (package.Error, OSError) as error:
            raise DataError(
                f"{path}: the LMDB environment cannot be read ({error}); get or make it again"
            ) from error


def _package() -> ModuleType:
    try:
        return importlib.import_module("lmdb")
    except ImportError as error:
        raise SetupError(
            f"LMDB needs the package lmdb ({error}); install it: pip install 'pgan-toolkit[lmdb]'"
        ) from error


def _check_length(path: Path) -> None:
    """Refuse a file that is cut short: the library would map it and die of it, untold."""
    file = path / DATA_FILE if path.is_dir() else path
    try:
        with file.open("rb") as data:
            first = data.read(_META.size).ljust(_META.size, b"\0")
            magic, version, page_bytes, last = _META.unpack(first)
            data.seek(page_bytes)
            second = data.read(_META.size).ljust(_META.size, b"\0")
            last = max(last, _META.unpack(second)[-1])
            length = data.seek(0, os.SEEK_END)
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error})") from error
    if magic != _MAGIC:
        raise DataError(f"{file}: not an LMDB environment; get or make it again")
    named = (last + 1 - _LOOSE_PAGES) * page_bytes if version == _VERSION else 0
    if page_bytes == 0 or length < max(2 * page_bytes, named):  # two pages are there from the start
        raise DataError(
            f"{file}: {length:,} bytes, but it names {last + 1:,} pages of {page_bytes:,}; it is "
            "damaged or incomplete: get or make it again"
        )


def _text(key: bytes, path: Path) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: the key {key[:40]!r} is no text in UTF-8") from error


def _read_labels(path: Path) -> dict[str, int]:
    file = path / LABELS_FILE
    if not path.is_dir() or not file.is_file():
        return {}
    return dict(parse_labels(file.read_bytes(), name=str(file)))
