"""Data sets in LMDB, as LSUN ships them: key -> the bytes of a picture file.

Described in docs/formats.md. Reading needs no package; writing needs that of the extra `lmdb`.
"""

import errno
import importlib
import os
from types import ModuleType
from typing import Any, ClassVar, Literal

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError, SetupError
from pgan_toolkit.imaging import decode_image, encode_png, image_size
from pgan_toolkit.storage.archives import Archive
from pgan_toolkit.storage.base import PictureInfo, StoredSink, StoredSource
from pgan_toolkit.storage.encodings import encoding_of
from pgan_toolkit.storage.keys import LABELS_FILE, KeyRegister
from pgan_toolkit.storage.labels import format_labels, parse_labels
from pgan_toolkit.storage.lmdb_pages import list_values
from pgan_toolkit.storage.places import Place
from pgan_toolkit.storage.reading import MOST_TEXT_BYTES, check_picture_bytes, read_file
from pgan_toolkit.storage.records import Record
from pgan_toolkit.storage.system_errors import FULL_DISK

__all__ = ["DATA_FILE", "LmdbSink", "LmdbSource"]

FORMAT = "lmdb"
DATA_FILE = "data.mdb"
_NO_PICTURES = frozenset({b"length", b"__len__", b"__keys__", b"num-samples"})
"""Keys under which other programs note how many pictures there are."""
_MOST_KEY_BYTES = 511
_MAP_BYTES = 1 << 40  # of address space; the file grows with what is written
_BATCH_BYTES = 64 << 20  # a transaction keeps what it wrote in memory


class LmdbSource(StoredSource):
    """The pictures of an LMDB environment, in the order of their keys' bytes.

    The keys are listed once. Nothing is written, no lock file either: no program may write to the
    environment meanwhile.

    Parameters
    ----------
    path : Path | RemotePath
        A folder that holds data.mdb, or such a file.

    Raises
    ------
    DataError
        Damaged or cut short, or a key is unsafe or no text.
    """

    def __init__(self, path: Place) -> None:
        self.path = path.absolute()
        file = self.path / DATA_FILE if self.path.is_dir() else self.path
        self._file = Archive(file, whole=True)
        values = [value for value in list_values(self._file) if value.key not in _NO_PICTURES]
        keys = [_text(value.key, self._file) for value in values]
        register = KeyRegister(str(path))
        for key in keys:
            register.add(key)
        labels = _read_labels(self.path)
        super().__init__(
            self.path, format_name=FORMAT, keys=keys, labels=[labels.get(key) for key in keys]
        )
        self._places = [(value.offset, value.size) for value in values]

    def _read(self, index: int) -> Image:
        return decode_image(self._encoded(index), name=self._name(index))

    def _inspect(self, index: int) -> PictureInfo:
        data = self._encoded(index)
        height, width = image_size(data, name=self._name(index))
        return PictureInfo(height, width, len(data), encoding_of(data))

    def _encoded(self, index: int) -> bytes:
        offset, size = self._places[index]
        check_picture_bytes(size, name=self._name(index))
        try:
            data = self._file.read(offset, size)
        except OSError as error:
            raise DataError(f"{self._file}: cannot be read ({error.strerror or error})") from error
        if len(data) != size:
            raise DataError(f"{self._name(index)}: the file ends within it; get or make it again")
        return data


class LmdbSink(StoredSink):
    """Writes a folder of data.mdb, PNG files by key, and dataset.json where there are labels."""

    kind: ClassVar[Literal["file", "folder"]] = "folder"

    def __init__(self, path: Place, *, overwrite: bool = False) -> None:
        package = _package()
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
            raise _error_of_writing(error, self._written) from error

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
            raise _error_of_writing(error, self._written) from error
        self._waiting.clear()
        self._waiting_bytes = 0

    def _finish(self) -> None:
        self._write()
        self._environment.close()
        if any(label is not None for _, label in self._labels):
            (self._target.temporary / LABELS_FILE).write_bytes(format_labels(self._labels))

    def _abandon(self) -> None:
        self._environment.close()


def _package() -> ModuleType:
    try:
        return importlib.import_module("lmdb")
    except ImportError as error:
        raise SetupError(
            f"writing LMDB needs the package lmdb ({error}); install it: "
            "pip install 'pgan-toolkit[lmdb]'"
        ) from error


def _error_of_writing(error: Exception, name: str) -> OSError:
    """Make an error of the system of LMDB's, which tells that in words, as "mdb_put: WORDS"."""
    words = str(error).rpartition(": ")[2]
    for number in FULL_DISK:
        if os.strerror(number) == words:
            return OSError(number, words, name)
    # So LMDB calls a write of less than it was asked for.
    full = "; the disk may be full: free some room" if words == os.strerror(errno.EIO) else ""
    return OSError(f"{name}: LMDB could not write ({error}){full}")


def _text(key: bytes, path: Archive) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: the key {key[:40]!r} is no text in UTF-8") from error


def _read_labels(path: Place) -> dict[str, int]:
    file = path / LABELS_FILE
    if not path.is_dir() or not file.is_file():
        return {}
    return dict(parse_labels(read_file(file, most_bytes=MOST_TEXT_BYTES), name=str(file)))
