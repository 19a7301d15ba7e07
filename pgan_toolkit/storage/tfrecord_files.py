"""The records of a TFRecord file: framed by their length, with checksums of length and data.

Written here, because no kept package does what is needed: the `tfrecord` package compares no
checksum, and takes as much memory as a record claims to need; the others need TensorFlow.
"""

import mmap
import struct
from collections.abc import Iterator
from io import BufferedIOBase
from typing import NamedTuple

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.archives import Archive
from pgan_toolkit.storage.crc32c import masked_crc32c
from pgan_toolkit.storage.reading import check_picture_bytes

__all__ = ["RecordPlace", "read_record", "record_places", "starts_as_tfrecord", "write_record"]

_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
_GZIP_SIGNATURE = b"\x1f\x8b"


class RecordPlace(NamedTuple):
    """Where a record's data lie in its file.

    Attributes
    ----------
    number : int
        From 0, for messages.
    offset, size : int
        In bytes.
    """

    number: int
    offset: int
    size: int


def starts_as_tfrecord(start: bytes) -> bool:
    """Whether the first bytes of a file are a record's length with its checksum."""
    if len(start) < _HEADER.size:
        return False
    _, checksum = _HEADER.unpack_from(start)
    return bool(checksum == masked_crc32c(start[:8]))


def record_places(data: mmap.mmap, *, path: Archive) -> Iterator[RecordPlace]:
    """Find the records of a mapped file by their lengths, which are held against its size.

    Raises
    ------
    DataError
        A length is damaged, or the file is cut short or compressed.
    """
    if data[:2] == _GZIP_SIGNATURE and not starts_as_tfrecord(data[: _HEADER.size]):
        raise DataError(
            f"{path}: compressed by gzip, so that no record can be reached without all before it; "
            "unpack it with gunzip"
        )
    start, number = 0, 0
    while start < len(data):
        header = data[start : start + _HEADER.size]
        if not starts_as_tfrecord(header):
            raise _damaged(path, number, "its length fails its checksum")
        size, _ = _HEADER.unpack(header)
        offset = start + _HEADER.size
        if offset + size + _CHECKSUM.size > len(data):
            raise _damaged(path, number, "the file ends within it")
        yield RecordPlace(number, offset, size)
        start, number = offset + size + _CHECKSUM.size, number + 1


def read_record(path: Archive, place: RecordPlace) -> bytes:
    """Read a record's data and compare their checksum; by any thread.

    Raises
    ------
    DataError
        The file cannot be read, has become shorter, the checksum differs, or it is too large.
    """
    check_picture_bytes(place.size, name=f"{path}: record {place.number:,}")
    try:
        stored = path.read(place.offset, place.size + _CHECKSUM.size)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    data, checksum = stored[: place.size], stored[place.size :]
    if len(stored) != place.size + _CHECKSUM.size:
        raise _damaged(path, place.number, "the file ends within it")
    if _CHECKSUM.unpack(checksum)[0] != masked_crc32c(data):
        raise _damaged(path, place.number, "its data fail their checksum")
    return data


def write_record(file: BufferedIOBase, data: bytes) -> None:
    """Write one record."""
    length = struct.pack("<Q", len(data))
    file.write(length + _CHECKSUM.pack(masked_crc32c(length)))
    file.write(data)
    file.write(_CHECKSUM.pack(masked_crc32c(data)))


def _damaged(path: Archive, number: int, reason: str) -> DataError:
    return DataError(
        f"{path}: record {number:,} is damaged or incomplete ({reason}); get or make it again"
    )
