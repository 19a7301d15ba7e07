"""Data sets in TFRecord files: the multi-resolution files of progressive growing, and plain ones.

Described in docs/formats.md. Neither TensorFlow nor another package is needed.
"""

import math
import mmap
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import decode_image, image_size
from pgan_toolkit.storage.archives import Archive
from pgan_toolkit.storage.base import PictureInfo, StoredSource
from pgan_toolkit.storage.encodings import encoding_of
from pgan_toolkit.storage.keys import KeyRegister, numbered_key
from pgan_toolkit.storage.places import Place
from pgan_toolkit.storage.tfrecord_examples import Example, find_features
from pgan_toolkit.storage.tfrecord_files import RecordPlace, read_record, record_places
from pgan_toolkit.storage.tfrecord_labels import LABELS_SUFFIX, read_labels

__all__ = ["FORMAT", "KEY_FEATURE", "TfrecordSource", "is_tfrecord_name"]

FORMAT = "tfrecord"
KEY_FEATURE = "pgan_toolkit_key"
"""Feature of bytes that holds the key; other programs pass it over."""

_NAME = re.compile(r".*\.tfrecords?(-\d+-of-\d+)?", re.IGNORECASE)
_LEVEL = re.compile(r"(?P<name>.*)-r(?P<log2>\d\d)\.tfrecords")
_ENCODED = ("image/encoded", "image", "image_raw", "encoded")
_LABEL = ("image/class/label", "label")


class _Record(NamedTuple):
    file: Archive
    place: RecordPlace
    key: str | None
    label: int | None


class TfrecordSource(StoredSource):
    """The pictures of TFRecord files, in stored order.

    Parameters
    ----------
    path : Path | RemotePath
        A file, or a folder of them. Of a folder with files ``NAME-r02.tfrecords`` ...
        ``NAME-r10.tfrecords`` the one of the highest resolution is read; otherwise all, by name.
        A record is an Example with `shape` (3 integers: channels, height, width) and `data` (raw
        bytes), or with a picture file in `image/encoded`, `image`, `image_raw` or `encoded`.

    Raises
    ------
    DataError
        Damaged, cut short, not of Examples, or of several multi-resolution sets.
    """

    def __init__(self, path: Place) -> None:
        self.path = path.absolute()
        files, ignored = _files_of(self.path)
        records = [record for file in files for record in _scan(Archive(file, whole=True))]
        keys = [
            numbered_key(i) if record.key is None else record.key
            for i, record in enumerate(records)
        ]
        register = KeyRegister(str(path))
        for key in keys:
            register.add(key)
        labels = _stored_labels(files[0], len(records)) if len(files) == 1 else None
        super().__init__(
            self.path,
            format_name=FORMAT,
            keys=keys,
            labels=[record.label for record in records] if labels is None else labels,
        )
        self.ignored = ignored
        self._places = [(record.file, record.place) for record in records]

    def _read(self, index: int) -> Image:
        name, example = self._name(index), self._example(index)
        if "data" not in example.contents:
            return decode_image(_encoded_picture(example, name), name=name)
        channels, height, width = _shape_of(example, name)
        pixels = np.frombuffer(example.contents["data"], np.uint8)
        planes = np.broadcast_to(pixels.reshape(channels, height, width), (3, height, width))
        return np.ascontiguousarray(planes.transpose(1, 2, 0))

    def _inspect(self, index: int) -> PictureInfo:
        name, example = self._name(index), self._example(index)
        if "data" in example.contents:
            channels, height, width = _shape_of(example, name)
            return PictureInfo(height, width, channels * height * width, "pixels")
        data = _encoded_picture(example, name)
        height, width = image_size(data, name=name)
        return PictureInfo(height, width, len(data), encoding_of(data))

    def _encoded(self, index: int) -> bytes | None:
        example = self._example(index)
        if "data" in example.contents:
            return None
        return _encoded_picture(example, self._name(index))

    def _name(self, index: int) -> str:
        file, place = self._places[index]
        return f"{file}: record {place.number:,}"

    def _example(self, index: int) -> Example:
        data = memoryview(read_record(*self._places[index]))
        return find_features(data, name=self._name(index))


def is_tfrecord_name(name: str) -> bool:
    """Whether a file is called as TFRecord files are: a.tfrecords, a.tfrecord-00000-of-00128."""
    return _NAME.fullmatch(name) is not None


def _files_of(path: Place) -> tuple[list[Place], tuple[str, ...]]:
    """Return the files to read, and the names of others that were left out."""
    if not path.is_dir():
        return [path], ()
    files: list[Place] = [
        entry for entry in path.iterdir() if is_tfrecord_name(entry.name) and entry.is_file()
    ]
    files.sort(key=lambda file: file.name)
    levels = [(found, file) for file in files if (found := _LEVEL.fullmatch(file.name))]
    if not levels:
        return files, ()
    names = sorted({found["name"] for found, _ in levels})
    if len(names) > 1:
        raise DataError(
            f"{path}: holds several sets, {', '.join(names[:5])}; name a file of one of them"
        )
    _, best = max(levels, key=lambda level: int(level[0]["log2"]))
    others = {file.name for file in files} - {file.name for _, file in levels}
    return [best], tuple(sorted(others))


def _scan(path: Archive) -> Iterator[_Record]:
    """Find a file's records, with what they say of key and label; pixels are not touched."""
    if path.size == 0:
        return
    try:
        with path.open() as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        # Not closed here but with the last view into it: one may live on in an error's traceback.
        view = memoryview(data)
        for place in record_places(data, path=path):
            yield _described(view[place.offset : place.offset + place.size], path, place)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _described(content: memoryview, path: Archive, place: RecordPlace) -> _Record:
    example = find_features(content, name=f"{path}: record {place.number:,}")
    key = example.contents.get(KEY_FEATURE)
    label = next((example.integers[name] for name in _LABEL if name in example.integers), ())
    return _Record(
        path,
        place,
        None if key is None else str(key, "utf-8", "replace"),
        label[0] if len(label) == 1 and label[0] >= 0 else None,
    )


def _stored_labels(file: Place, count: int) -> Sequence[int | None] | None:
    """Read the labels beside a multi-resolution file, if there are any."""
    found = _LEVEL.fullmatch(file.name)
    if found is None:
        return None
    labels = file.with_name(f"{found['name']}{LABELS_SUFFIX}")
    return read_labels(labels, count) if labels.is_file() else None


def _shape_of(example: Example, name: str) -> tuple[int, int, int]:
    shape, size = example.integers.get("shape", ()), len(example.contents["data"])
    if len(shape) != 3 or shape[0] not in {1, 3} or min(shape) < 1 or math.prod(shape) != size:
        raise DataError(
            f"{name}: {size:,} bytes of data and the shape {shape!s:.60}; expected channels (3 or "
            "1), height, width, and as many bytes: get or make it again"
        )
    return shape[0], shape[1], shape[2]


def _encoded_picture(example: Example, name: str) -> bytes:
    for feature in _ENCODED:
        if feature in example.contents:
            return bytes(example.contents[feature])
    held = ", ".join(sorted([*example.contents, *example.integers])) or "none"
    raise DataError(
        f"{name}: no picture among the features {held:.200}; expected `data` with `shape`, or a "
        f"picture file in one of {', '.join(_ENCODED)}"
    )
