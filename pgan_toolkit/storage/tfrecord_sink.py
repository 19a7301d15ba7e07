"""Writing the multi-resolution TFRecord files that programs for progressive growing read."""

import contextlib
from io import BufferedIOBase
from typing import ClassVar, Literal

from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import decode_image
from pgan_toolkit.storage.base import StoredSink
from pgan_toolkit.storage.hdf5 import halvings
from pgan_toolkit.storage.places import Place
from pgan_toolkit.storage.records import Record
from pgan_toolkit.storage.tfrecord import KEY_FEATURE
from pgan_toolkit.storage.tfrecord_examples import format_example
from pgan_toolkit.storage.tfrecord_files import write_record
from pgan_toolkit.storage.tfrecord_labels import LABELS_SUFFIX, write_labels

__all__ = ["TfrecordSink"]

_SMALLEST_PX = 4


class TfrecordSink(StoredSink):
    """Writes a folder NAME of ``NAME-r02.tfrecords`` (4x4) ... up to the pictures' own size.

    Pictures must be squares of one size, a power of two, at least 4. With ``NAME-rxx.labels``
    where any picture has a label. The same records give the same bytes.
    """

    kind: ClassVar[Literal["file", "folder"]] = "folder"

    def __init__(self, path: Place, *, overwrite: bool = False) -> None:
        super().__init__(path, overwrite=overwrite)
        self._name = path.name.partition(".tfrecord")[0] or path.name
        self._files: dict[int, BufferedIOBase] = {}
        self._labels: list[int | None] = []
        self._size_px = 0

    def _put(self, record: Record) -> None:
        self._check_size(record)
        for level in halvings(record.image, smallest_px=_SMALLEST_PX):
            example = format_example(
                {
                    KEY_FEATURE: record.key.encode(),
                    "shape": (3, *level.shape[:2]),
                    "data": level.transpose(2, 0, 1).tobytes(),
                }
            )
            write_record(self._file(level.shape[0]), example)
        self._labels.append(record.label)

    def _put_encoded(self, key: str, data: bytes, label: int | None) -> None:
        self._put(Record(key, decode_image(data, name=key), label))

    def _check_size(self, record: Record) -> None:
        height, width = record.image.shape[:2]
        if height != width or height < _SMALLEST_PX or height & (height - 1):
            raise DataError(
                f"{self.path}: {record.key} has {width}x{height} pixels; TFRecord takes squares of "
                "4, 8, ... 1024, ...: crop them first, or write a folder, a zip file or webdataset"
            )
        self._size_px = self._size_px or height
        if height != self._size_px:
            raise DataError(
                f"{self.path}: {record.key} has {width}x{height} pixels where the pictures before "
                f"it have {self._size_px}x{self._size_px}; write a folder or a zip file, or leave "
                "it out"
            )

    def _file(self, size_px: int) -> BufferedIOBase:
        if size_px not in self._files:
            log2 = size_px.bit_length() - 1
            path = self._target.temporary / f"{self._name}-r{log2:02d}.tfrecords"
            self._files[size_px] = path.open("xb")
        return self._files[size_px]

    def _finish(self) -> None:
        for file in self._files.values():
            file.close()
        if any(label is not None for label in self._labels):
            write_labels(self._target.temporary / f"{self._name}{LABELS_SUFFIX}", self._labels)

    def _abandon(self) -> None:
        for file in self._files.values():
            with contextlib.suppress(OSError):
                file.close()
