"""What the sources and the sinks of all formats share."""

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Literal, final

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.storage.atomic import AtomicPath
from pgan_toolkit.storage.keys import KeyRegister
from pgan_toolkit.storage.labels import check_label
from pgan_toolkit.storage.places import Place
from pgan_toolkit.storage.records import Record
from pgan_toolkit.storage.remote.paths import RemotePath
from pgan_toolkit.storage.remote.uploads import RemoteTarget
from pgan_toolkit.storage.replacing import refuse_to_replace_other_files
from pgan_toolkit.storage.system_errors import naming_errors

__all__ = ["PictureInfo", "StoredSink", "StoredSource", "check_png"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class PictureInfo:
    """What can be said of a stored picture without decoding its pixels.

    Attributes
    ----------
    height, width : int
        As stored, in pixels, before any EXIF rotation.
    stored_bytes : int
        Bytes that the picture takes in the data set.
    encoding : str
        "PNG", "JPEG", ... or "pixels" where it is stored as such.
    """

    height: int
    width: int
    stored_bytes: int
    encoding: str


class StoredSource(ABC):
    """A data set in files; an `ImageSource` that can also be inspected.

    It is picklable and may be used after a fork: every process opens its own file handle.

    Attributes
    ----------
    path : Path | RemotePath
        Where it is, absolute.
    format : str
        The name of its format.
    ignored : tuple of str
        Files in it that are no pictures and were left out.
    """

    def __init__(
        self, path: Place, *, format_name: str, keys: Sequence[str], labels: Sequence[int | None]
    ) -> None:
        self.path = path
        self.format = format_name
        self.ignored: tuple[str, ...] = ()
        self._keys = tuple(keys)
        self._labels = tuple(labels)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Record]:
        return (self[index] for index in range(len(self)))

    def keys(self) -> Sequence[str]:
        """Return the keys of all records, in the order of their indices."""
        return self._keys

    def labels(self) -> Sequence[int | None]:
        """Return the class indices of all records, in the order of their indices."""
        return self._labels

    @final
    def __getitem__(self, index: int) -> Record:
        index = self._checked(index)
        return Record(self._keys[index], self._read(index), self._labels[index])

    @final
    def info(self, index: int) -> PictureInfo:
        """Size and encoding of one picture, from its header alone.

        Raises
        ------
        DataError
            The picture cannot be read. The message names the file.
        """
        return self._inspect(self._checked(index))

    @final
    def encoded(self, index: int) -> bytes | None:
        """Return the bytes of a picture's file as they are stored, which need not be a picture's.

        None where the format stores pixels and no files. May be called by several threads at once.

        Raises
        ------
        DataError
            They cannot be read. The message names the file.
        """
        return self._encoded(self._checked(index))

    @final
    def name(self, index: int) -> str:
        """Return what messages call a picture: its file where there is one, else set and key."""
        return self._name(self._checked(index))

    def _checked(self, index: int) -> int:
        """Return the index counted from 0, as a list takes it."""
        return range(len(self))[operator.index(index)]

    def _encoded(self, index: int) -> bytes | None:
        """Read the file of the picture at an index from 0, in formats that store files."""
        return None

    def _name(self, index: int) -> str:
        return f"{self.path}: {self._keys[index]}"

    @abstractmethod
    def _read(self, index: int) -> Image:
        """Decode the picture at an index from 0. Raises DataError that names the file."""

    @abstractmethod
    def _inspect(self, index: int) -> PictureInfo:
        """Read the header of the picture at an index from 0."""


class StoredSink(ABC):
    """An `ImageSink` that writes files; nothing half-written shows under its final name.

    What goes to a remote storage is made on this machine, and sent at `close`.

    Parameters
    ----------
    path : Path | RemotePath
        The data set to make.
    kind : {"file", "folder"}
        What it is on the disk.
    overwrite : bool
        Replace what has that name; a folder only if it holds nothing but a data set.

    Raises
    ------
    UsageError
        `path` exists and `overwrite` is false, or it holds other files.
    """

    kind: ClassVar[Literal["file", "folder"]]

    def __init__(self, path: Place, *, overwrite: bool = False) -> None:
        if overwrite:
            refuse_to_replace_other_files(path)
        self.path = path
        self._register = KeyRegister(str(path))
        self._count = 0
        self._closed = False
        self._target = (
            RemoteTarget(path, kind=self.kind, overwrite=overwrite)
            if isinstance(path, RemotePath)
            else AtomicPath(path, kind=self.kind, overwrite=overwrite, over_folder=True)
        )
        # What an error of the disk names: of a remote set, the place where it is made.
        self._written = str(self._target.temporary if isinstance(path, RemotePath) else path)

    def __enter__(self) -> "StoredSink":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    @final
    def write(self, record: Record) -> None:
        """Take one record.

        Raises
        ------
        DataError
            The key is unsafe or was written before, the label is negative, or the format cannot
            hold the picture.
        OSError
            The disk is full. It names the data set.
        """
        self._accept(record.key, record.label)
        with naming_errors(self._written):
            self._put(record)

    @final
    def write_encoded(self, key: str, data: bytes, label: int | None = None) -> None:
        """Take one record whose picture is the bytes of a PNG file.

        Folders and zip files store the bytes as they are; HDF5 decodes them.

        Raises
        ------
        DataError, OSError
            As `write`, or the bytes are not a PNG file.
        """
        check_png(data, name=key)
        self._accept(key, label)
        with naming_errors(self._written):
            self._put_encoded(key, data, label)

    @final
    def close(self) -> None:
        """Finish, and make the data set visible under its final name. Once is enough.

        Raises
        ------
        DataError
            No record was written.
        OSError
            The disk is full. It names the data set.
        """
        if self._closed:
            return
        try:
            if self._count == 0:
                raise DataError(f"{self.path}: no picture was written, so nothing was made of it")
            with naming_errors(self._written):
                self._finish()
        except BaseException:
            self.discard()
            raise
        self._closed = True
        self._target.commit()

    @final
    def discard(self) -> None:
        """Remove what was written. Does nothing after `close`."""
        if not self._closed:
            self._closed = True
            self._abandon()
            self._target.discard()

    def _accept(self, key: str, label: int | None) -> None:
        if self._closed:
            raise UsageError(f"{self.path}: the data set is closed; open another to write {key!r}")
        self._register.add(key)
        check_label(label, where=f"{self.path}: {key}")
        self._count += 1

    @abstractmethod
    def _put(self, record: Record) -> None: ...

    @abstractmethod
    def _put_encoded(self, key: str, data: bytes, label: int | None) -> None: ...

    @abstractmethod
    def _finish(self) -> None:
        """Write what comes last, and close every file handle."""

    @abstractmethod
    def _abandon(self) -> None:
        """Close every file handle without an error, whatever state they are in."""


def check_png(data: bytes, *, name: str) -> None:
    """Refuse bytes that do not start as a PNG file does.

    Raises
    ------
    DataError
        The message names the picture.
    """
    if not data.startswith(_PNG_SIGNATURE):
        raise DataError(f"{name}: expected the bytes of a PNG file, got {data[:8]!r}")
