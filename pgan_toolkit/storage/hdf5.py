"""Data sets in HDF5: one array of pictures, or one per resolution as progressive GAN code reads.

Both layouts are described byte for byte in docs/formats.md. The same records give the same bytes:
neither holds a time.
"""

import contextlib
import os
import re
from abc import abstractmethod
from typing import ClassVar, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import decode_image
from pgan_toolkit.storage.archives import Archive
from pgan_toolkit.storage.base import PictureInfo, StoredSink, StoredSource
from pgan_toolkit.storage.hdf5_bounds import (
    checked_dataset,
    read_attribute,
    refuse_endless_heaps,
    require_column,
    require_plausible,
)
from pgan_toolkit.storage.keys import KeyRegister, numbered_key
from pgan_toolkit.storage.places import Place
from pgan_toolkit.storage.records import Record
from pgan_toolkit.storage.system_errors import naming_errors

__all__ = ["Hdf5MultiresSink", "Hdf5Sink", "Hdf5Source", "halvings"]

PLAIN = "hdf5"
MULTIRES = "hdf5-multires"
_VERSION = 1
_MARK = "pgan-toolkit {}"
_LEVEL_NAME = re.compile(r"data(\d+)x\1")
_SMALLEST_LEVEL_PX = 4
_CHUNK_BYTES = 1 << 16
_NO_LABEL = -1
_KEYS_AT_A_TIME = 256
_ERRORS = (OSError, RuntimeError, LookupError, ValueError, TypeError, OverflowError, AttributeError)


class Hdf5Source(StoredSource):
    """The pictures of an HDF5 file of either layout, in stored order.

    Parameters
    ----------
    path : Path | RemotePath
        The file. Its layout is told by its contents.

    Raises
    ------
    DataError
        The file is damaged, or is of neither layout, or of a newer version.
    """

    def __init__(self, path: Place) -> None:
        self._open_file: tuple[int, h5py.File] | None = None
        self.path = path.absolute()
        self._archive = Archive(self.path)
        try:
            refuse_endless_heaps(self._archive)
            file = self._file()
            layout = _layout(file, self.path)
            self._images = "images" if layout == PLAIN else _largest_level(file)
            self._channels_last = layout == PLAIN
            images = checked_dataset(file, self._images, self._archive)
            self._shape = _checked_shape(images, self._channels_last, self.path)
            require_plausible(images, self._archive, pixels=self._shape[1] * self._shape[2])
            keys = _read_keys(file, self._shape[0], self._archive)
            labels = _read_labels(file, self._shape[0], self._archive)
        except _ERRORS as error:
            raise self._damaged(error) from error
        super().__init__(self.path, format_name=layout, keys=keys, labels=labels)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_open_file": None}

    def _read(self, index: int) -> Image:
        try:
            pixels = self._file()[self._images][index]
        except _ERRORS as error:
            raise self._damaged(error) from error
        if not self._channels_last:
            pixels = pixels.transpose(1, 2, 0)
        if pixels.shape[2] == 1:
            pixels = np.repeat(pixels, 3, axis=2)
        return np.ascontiguousarray(pixels)

    def _inspect(self, index: int) -> PictureInfo:
        _, height, width, channels = self._shape
        return PictureInfo(height, width, height * width * channels, "pixels")

    def _file(self) -> h5py.File:
        """Return this process's own handle; one that was inherited is closed first."""
        if self._open_file is not None and self._open_file[0] != os.getpid():
            self._open_file[1].close()
            self._open_file = None
        if self._open_file is None:
            self._open_file = (os.getpid(), self._opened())
        return self._open_file[1]

    def _opened(self) -> h5py.File:
        if self._archive.by_parts:
            return h5py.File(self._archive.open(), "r")
        return h5py.File(self._archive.local(), "r", locking="best-effort")

    def _damaged(self, error: Exception) -> DataError:
        return DataError(
            f"{self.path}: the HDF5 file is damaged or incomplete ({error}); get or make it again"
        )


class _Hdf5Writer(StoredSink):
    """What the two layouts share: keys and labels at the end, pictures as they come."""

    kind: ClassVar[Literal["file", "folder"]] = "file"
    _format: ClassVar[str]

    def __init__(self, path: Place, *, overwrite: bool = False) -> None:
        super().__init__(path, overwrite=overwrite)
        self._keys: list[str] = []
        self._labels: list[int] = []
        self._size: tuple[int, int] | None = None
        # Kept open: h5py swallows the errors of a dataset that is closed by going out of scope.
        self._datasets: dict[str, h5py.Dataset] = {}
        try:
            with naming_errors(self._written):
                self._h5 = self._begun()
        except BaseException:
            self._target.discard()
            raise

    def _begun(self) -> h5py.File:
        # The temporary file is locked already, and no one else knows its name.
        file = h5py.File(self._target.temporary, "w", libver=("earliest", "v110"), locking=False)
        file.attrs["format"] = _MARK.format(self._format)
        file.attrs["version"] = np.int64(_VERSION)
        return file

    def _put(self, record: Record) -> None:
        height, width = record.image.shape[:2]
        if self._size is None:
            self._size = (height, width)
            self._create(height, width)
        if (height, width) != self._size:
            raise DataError(
                f"{self.path}: {record.key} has {width}x{height} pixels where the pictures before "
                f"it have {self._size[1]}x{self._size[0]}; HDF5 holds pictures of one size: "
                "write a folder or a zip file, or leave it out"
            )
        self._append(record.image)
        self._keys.append(record.key)
        self._labels.append(_NO_LABEL if record.label is None else record.label)

    def _put_encoded(self, key: str, data: bytes, label: int | None) -> None:
        self._put(Record(key, decode_image(data, name=key), label))

    def _finish(self) -> None:
        self._h5.create_dataset("keys", data=self._keys, dtype=h5py.string_dtype("utf-8"))
        self._h5.create_dataset("labels", data=np.array(self._labels, dtype="<i8"))
        self._h5.flush()
        self._h5.close()

    def _abandon(self) -> None:
        with contextlib.suppress(*_ERRORS):
            if self._h5:
                _divert_to_nowhere(self._h5)
            self._h5.close()

    def _new_dataset(self, name: str, shape: tuple[int, int, int]) -> None:
        """Make a growable array of pictures, in chunks of whole pictures of about 64 KiB."""
        pictures = max(1, _CHUNK_BYTES // int(np.prod(shape)))
        self._datasets[name] = self._h5.create_dataset(
            name,
            shape=(0, *shape),
            maxshape=(None, *shape),
            chunks=(pictures, *shape),
            dtype=np.uint8,
            fillvalue=0,
        )

    def _extend(self, name: str, picture: NDArray[np.uint8]) -> None:
        dataset = self._datasets[name]
        count = len(dataset)
        dataset.resize(count + 1, axis=0)
        dataset[count] = picture

    @abstractmethod
    def _create(self, height: int, width: int) -> None:
        """Make the empty arrays for pictures of one size."""

    @abstractmethod
    def _append(self, image: Image) -> None:
        """Add one picture of that size."""


class Hdf5Sink(_Hdf5Writer):
    """Writes one array `images`, uint8 (N, H, W, 3), with `keys` and `labels`."""

    _format: ClassVar[str] = PLAIN

    def _create(self, height: int, width: int) -> None:
        self._new_dataset("images", (height, width, 3))

    def _append(self, image: Image) -> None:
        self._extend("images", image)


class Hdf5MultiresSink(_Hdf5Writer):
    """Writes one array per resolution, uint8 (N, 3, r, r), as progressive GAN code reads.

    Pictures must be square, with a power of two of pixels, at least 4.
    """

    _format: ClassVar[str] = MULTIRES

    def _create(self, height: int, width: int) -> None:
        if height != width or height < _SMALLEST_LEVEL_PX or height & (height - 1):
            raise DataError(
                f"{self.path}: the pictures have {width}x{height} pixels; {MULTIRES} takes squares "
                f"of 4, 8, ... 1024, ...: crop them first, or write {PLAIN!r}, 'zip' or 'folder'"
            )
        while height >= _SMALLEST_LEVEL_PX:
            self._new_dataset(f"data{height}x{height}", (3, height, height))
            height //= 2

    def _append(self, image: Image) -> None:
        for level in halvings(image, smallest_px=_SMALLEST_LEVEL_PX):
            size_px = level.shape[0]
            self._extend(f"data{size_px}x{size_px}", level.transpose(2, 0, 1))


def halvings(image: Image, *, smallest_px: int) -> list[Image]:
    """Return a picture and its 2x2 means, each halved once more, down to a size.

    Every level is the exact mean of the blocks of the full picture, rounded once, to the nearest
    integer and halves to the even one; it is not the mean of rounded means.

    Parameters
    ----------
    image : Image
        uint8 (S, S, 3), S a power of two, at most 4096.
    smallest_px : int
        Where to stop.

    Returns
    -------
    list of Image
        uint8 (S, S, 3), (S/2, S/2, 3), ... (smallest_px, smallest_px, 3).
    """
    levels: list[Image] = [image]
    sums = image.astype(np.uint32)
    while sums.shape[0] > smallest_px:
        sums = sums[::2, ::2] + sums[1::2, ::2] + sums[::2, 1::2] + sums[1::2, 1::2]
        block_pixels = (image.shape[0] // sums.shape[0]) ** 2
        levels.append(np.rint(sums / block_pixels).astype(np.uint8))
    return levels


def _divert_to_nowhere(file: h5py.File) -> None:
    """Let what the library still has to write succeed: on a full disk it would complain later."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, file.id.get_vfd_handle())
    os.close(nowhere)


def _layout(file: h5py.File, path: Place) -> str:
    mark = read_attribute(file, "format", path)
    for layout in (PLAIN, MULTIRES):
        if mark == _MARK.format(layout):
            _check_version(read_attribute(file, "version", path), path)
            return layout
    if mark is None and any(_LEVEL_NAME.fullmatch(name) for name in file):
        return MULTIRES  # as other programs wrote it, without a mark
    held = ", ".join(sorted(file)) or "nothing"
    raise DataError(
        f"{path}: an HDF5 file of unknown layout (format {mark!r}, holding {held}); expected "
        "'images', or 'data4x4' ... 'data1024x1024': see docs/formats.md"
    )


def _check_version(version: object, path: Place) -> None:
    if version != _VERSION:
        raise DataError(
            f"{path}: layout version {version}; this program reads version {_VERSION}: "
            "update pgan-toolkit"
        )


def _largest_level(file: h5py.File) -> str:
    sizes = [int(match[1]) for name in file if (match := _LEVEL_NAME.fullmatch(name))]
    if not sizes:
        raise KeyError("no data{r}x{r} array")
    return f"data{max(sizes)}x{max(sizes)}"


def _checked_shape(
    dataset: h5py.Dataset, channels_last: bool, path: Place
) -> tuple[int, int, int, int]:
    """Return N, H, W, C of an array of pictures."""
    shape = tuple(dataset.shape)
    if len(shape) == 4 and not channels_last:
        shape = (shape[0], shape[2], shape[3], shape[1])
    if len(shape) != 4 or shape[3] not in {1, 3} or dataset.dtype != np.uint8:
        order = "(N, H, W, 3)" if channels_last else "(N, 3, r, r)"
        raise DataError(
            f"{path}: {dataset.name} is {dataset.dtype} {dataset.shape}; expected uint8 {order}"
        )
    return shape


def _read_keys(file: h5py.File, count: int, path: Archive) -> list[str]:
    if "keys" not in file:
        return [numbered_key(index) for index in range(count)]
    stored = checked_dataset(file, "keys", path)
    require_column(stored, count, path)
    register = KeyRegister(str(path))
    keys: list[str] = []
    # Few at a time: a short file may have one long text be the key of all.
    for start in range(0, count, _KEYS_AT_A_TIME):
        for key in stored.asstr()[start : start + _KEYS_AT_A_TIME]:
            register.add(key)
            keys.append(key)
    return keys


def _read_labels(file: h5py.File, count: int, path: Archive) -> list[int | None]:
    if "labels" not in file:
        return [None] * count
    stored = checked_dataset(file, "labels", path)
    require_column(stored, count, path)
    if stored.dtype.kind not in "iu":
        raise DataError(f"{path}: /labels is {stored.dtype} {stored.shape}; expected integers (N,)")
    labels = np.asarray(stored[()])
    return [None if label == _NO_LABEL else int(label) for label in labels]
