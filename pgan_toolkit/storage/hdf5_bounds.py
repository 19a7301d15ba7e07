"""What an HDF5 file's arrays must be to be read: in this file, and no more than its bytes can hold.

HDF5 lets a short file state arrays of any size, and name other files whose contents would then be
read as its own.
"""

import mmap
import struct

import h5py

from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import MAX_MEGAPIXELS
from pgan_toolkit.storage.archives import Archive
from pgan_toolkit.storage.places import Place

__all__ = [
    "checked_dataset",
    "read_attribute",
    "refuse_endless_heaps",
    "require_column",
    "require_plausible",
]

_MOST_RATIO = 1032  # of deflate, the strongest of HDF5's own filters on runs of zeros
_MOST_SEARCHED_BYTES = 256 << 20
_HEAP = struct.Struct("<4sB3xQ")  # signature, version, size
_OBJECT = struct.Struct("<H6xQ")  # number, size
_MOST_CHUNK_BYTES = 256 << 20  # a chunk is unpacked whole for each picture in it


def refuse_endless_heaps(path: Archive) -> None:
    """Refuse heaps of texts at which HDF5's library never ends, in files of up to 256 MiB.

    It steps through a heap by the lengths that this states, and stays where it is at a length of 0.
    Larger files are not searched.

    Raises
    ------
    DataError
        There is such a heap.
    OSError
        The file cannot be read.
    """
    if not 0 < path.size <= _MOST_SEARCHED_BYTES:
        return
    if path.by_parts:
        _search(path.read(0, path.size), path)
        return
    with path.open() as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        _search(data, path)


def _search(data: mmap.mmap | bytes, path: Archive) -> None:
    start = data.find(b"GCOL")
    while start >= 0:
        if _is_endless(data, start):
            raise DataError(
                f"{path}: the HDF5 file is damaged (a heap without an end at byte {start:,}); "
                "get or make it again"
            )
        start = data.find(b"GCOL", start + 1)


def _is_endless(data: mmap.mmap | bytes, start: int) -> bool:
    if start + _HEAP.size > len(data):
        return False
    _, _, size = _HEAP.unpack_from(data, start)
    place, end = start + _HEAP.size, min(start + size, len(data))
    while place + _OBJECT.size <= end:
        number, length = _OBJECT.unpack_from(data, place)
        # The library's numbers wrap. Number 0 is free space, whose length counts its header; what
        # follows it is read like anything else.
        step = (_OBJECT.size + -(-length // 8) * 8) % 2**64 if number else length
        if step < _OBJECT.size:
            return True
        place += step
    return False


def read_attribute(file: h5py.File, name: str, path: Place) -> object:
    """Return a text or an integer that a file has by that name; None where it has nothing.

    Nothing else is read: of a sequence of variable length with a damaged type HDF5's library dies.

    Raises
    ------
    DataError
        It is of another type, or an array.
    """
    if name not in file.attrs:
        return None
    stored = file.attrs.get_id(name)
    kinds = {h5py.h5t.STRING, h5py.h5t.INTEGER}
    if stored.get_type().get_class() not in kinds or stored.shape != ():
        raise DataError(
            f"{path}: the HDF5 file's attribute {name!r} is neither a text nor an integer; get or "
            "make it again"
        )
    value: object = file.attrs[name]
    return value


def checked_dataset(file: h5py.File, name: str, path: Archive) -> h5py.Dataset:
    """Return an array that lies in the file itself.

    Raises
    ------
    DataError
        It is none, or lies in another file: behind an external link, in external storage, or as a
        virtual array.
    KeyError
        There is nothing of that name.
    """
    elsewhere = DataError(
        f"{path}: {name!r} lies in another file, which is not followed; copy it into this one "
        "(h5repack does)"
    )
    if isinstance(file.get(name, getlink=True), h5py.ExternalLink):
        raise elsewhere
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset):
        raise DataError(f"{path}: {name!r} is no array; get or make the file again")
    if dataset.is_virtual or dataset.external or dataset.file != file:
        raise elsewhere
    return dataset


def require_plausible(dataset: h5py.Dataset, path: Archive, *, pixels: int) -> None:
    """Refuse an array of pictures that the file cannot hold, or that cannot be read in small parts.

    Parameters
    ----------
    dataset : h5py.Dataset
        Of uint8.
    path : Archive
        The file.
    pixels : int
        Of one picture.

    Raises
    ------
    DataError
        More bytes than the stored ones can unpack to, too large a picture, or too large chunks.
    """
    what = f"{path}: {dataset.name} is {dataset.dtype} {dataset.shape}"
    if pixels > MAX_MEGAPIXELS * 1e6:
        raise DataError(f"{what}; a picture may have {MAX_MEGAPIXELS:.0f} megapixels")
    if dataset.chunks and _bytes_of(dataset, dataset.chunks) > _MOST_CHUNK_BYTES:
        raise DataError(
            f"{what} in chunks of {_bytes_of(dataset, dataset.chunks):,} bytes; expected at most "
            f"{_MOST_CHUNK_BYTES:,}: write it in smaller ones (h5repack -l)"
        )
    stored = dataset.id.get_storage_size()
    ratio = _MOST_RATIO if dataset.compression else 1
    if dataset.nbytes > ratio * stored or stored > path.size:
        raise DataError(
            f"{what}, {dataset.nbytes:,} bytes, more than the {stored:,} stored ones can hold; it "
            "is incomplete: get or make it again"
        )


def require_column(dataset: h5py.Dataset, count: int, path: Archive) -> None:
    """Refuse a column of another length than there are pictures, before it is read.

    Raises
    ------
    DataError
        The message names the column.
    """
    if dataset.shape != (count,):
        held = dataset.shape[0] if len(dataset.shape or ()) == 1 else f"{dataset.shape}"
        name = dataset.name.removeprefix("/")
        raise DataError(f"{path}: {held} {name} for {count} pictures; get or make it again")


def _bytes_of(dataset: h5py.Dataset, shape: tuple[int, ...]) -> int:
    size: int = dataset.dtype.itemsize
    for length in shape:
        size *= length
    return size
