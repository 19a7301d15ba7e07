"""A data set as one zip file of pictures, stored without compression, as StyleGAN reads it."""

import contextlib
import os
import struct
import zipfile
import zlib
from typing import ClassVar, Literal

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import decode_image, encode_png
from pgan_toolkit.storage.archives import Archive
from pgan_toolkit.storage.base import PictureInfo, StoredSink, StoredSource
from pgan_toolkit.storage.headers import READ_ERRORS, header_of, read_header
from pgan_toolkit.storage.keys import LABELS_FILE, index_pictures
from pgan_toolkit.storage.labels import format_labels, parse_labels
from pgan_toolkit.storage.npz_members import data_offset
from pgan_toolkit.storage.places import Place
from pgan_toolkit.storage.reading import MOST_PICTURE_BYTES, MOST_TEXT_BYTES
from pgan_toolkit.storage.records import Record

__all__ = ["ZipSink", "ZipSource"]

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold
_UNIX = 3
_MODE = 0o100644 << 16
_SMALL_BYTES = 1 << 16  # such members are read whole sooner than opened


class ZipSource(StoredSource):
    """All pictures in a zip file, in the order of their keys.

    Parameters
    ----------
    path : Path | RemotePath
        The zip file. Compressed members are read too.

    Raises
    ------
    DataError
        The zip file is damaged, two pictures have the same key, or a name is unsafe.
    """

    def __init__(self, path: Place) -> None:
        self._open_file: tuple[int, zipfile.ZipFile] | None = None
        self.path = path.absolute()
        self._archive = Archive(self.path)
        # Not is_dir(), which fails at an empty name.
        names = [name for name in self._file().namelist() if not name.endswith("/")]
        index = index_pictures(names, where=str(path))
        labels = (
            parse_labels(self._member(LABELS_FILE, MOST_TEXT_BYTES), name=f"{path}: {LABELS_FILE}")
            if LABELS_FILE in names
            else {}
        )
        super().__init__(
            self.path,
            format_name="zip",
            keys=index.keys,
            labels=[labels.get(file) for file in index.files],
        )
        self.ignored = index.ignored
        self._files = index.files

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_open_file": None}

    def _read(self, index: int) -> Image:
        return decode_image(self._encoded(index), name=self._name(index))

    def _inspect(self, index: int) -> PictureInfo:
        member, name = self._file().getinfo(self._files[index]), self._name(index)
        self._check_size(member, MOST_PICTURE_BYTES)
        if member.file_size <= _SMALL_BYTES:
            height, width, encoding = header_of(self._encoded(index), name=name)
        else:
            height, width, encoding = read_header(
                lambda: self._file().open(member), lambda: self._encoded(index), name=name
            )
        return PictureInfo(height, width, member.compress_size, encoding)

    def _encoded(self, index: int) -> bytes:
        return self._member(self._files[index], MOST_PICTURE_BYTES)

    def _name(self, index: int) -> str:
        return f"{self.path}: {self._files[index]}"

    def _file(self) -> zipfile.ZipFile:
        """Return this process's own handle: after a fork, parent and child would share a place."""
        if self._open_file is None or self._open_file[0] != os.getpid():
            try:
                self._open_file = (os.getpid(), self._opened())
            except READ_ERRORS as error:
                raise DataError(
                    f"{self.path}: the zip file is damaged or incomplete ({error}); "
                    "get or make it again"
                ) from error
        return self._open_file[1]

    def _opened(self) -> zipfile.ZipFile:
        archive = self._archive
        return zipfile.ZipFile(archive.open() if archive.by_parts else archive.local())

    def _member(self, name: str, most_bytes: int) -> bytes:
        file = self._file()
        try:
            member = file.getinfo(name)
            self._check_size(member, most_bytes)
            if not self._archive.by_parts or member.compress_type != zipfile.ZIP_STORED:
                return file.read(member)
            return self._stored_member(member)
        except (*READ_ERRORS, struct.error) as error:
            raise DataError(
                f"{self.path}: {name}: damaged in the zip file ({error}); get or make it again"
            ) from error

    def _check_size(self, member: zipfile.ZipInfo, most_bytes: int) -> None:
        """Refuse what is too large: no more is read, or unpacked, than the directory states."""
        size = max(member.file_size, member.compress_size)
        if size > most_bytes:
            raise DataError(
                f"{self.path}: {member.filename}: states {size:,} bytes; expected at most "
                f"{most_bytes:,}: leave it out of the zip file"
            )

    def _stored_member(self, info: zipfile.ZipInfo) -> bytes:
        """Read a member of a remote file, by several threads at once: zipfile lets in one."""
        data = self._archive.read(data_offset(self._archive, info), info.file_size)
        if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
            raise ValueError("its bytes fail their checksum")
        return data


class ZipSink(StoredSink):
    """Writes PNG files and `dataset.json` into a zip file; the same records give the same bytes."""

    kind: ClassVar[Literal["file", "folder"]] = "file"

    def __init__(self, path: Place, *, overwrite: bool = False) -> None:
        super().__init__(path, overwrite=overwrite)
        self._labels: list[tuple[str, int | None]] = []
        self._zip = zipfile.ZipFile(self._target.temporary, "w", zipfile.ZIP_STORED)

    def _put(self, record: Record) -> None:
        self._put_encoded(record.key, encode_png(record.image), record.label)

    def _put_encoded(self, key: str, data: bytes, label: int | None) -> None:
        self._add(f"{key}.png", data)
        self._labels.append((f"{key}.png", label))

    def _add(self, name: str, data: bytes) -> None:
        member = zipfile.ZipInfo(name, _EPOCH)
        member.create_system = _UNIX
        member.external_attr = _MODE
        self._zip.writestr(member, data)

    def _finish(self) -> None:
        self._add(LABELS_FILE, format_labels(self._labels))
        self._zip.close()

    def _abandon(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._zip.close()
