"""Data sets as NumPy arrays: a .npy file of pictures, or a .npz with labels and keys besides.

Described byte for byte in docs/formats.md. Arrays of Python objects are never loaded.
"""

import contextlib
import re
import shutil
import tempfile
import zipfile
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import decode_image
from pgan_toolkit.storage.archives import Archive
from pgan_toolkit.storage.base import PictureInfo, StoredSink, StoredSource
from pgan_toolkit.storage.keys import KeyRegister, numbered_key
from pgan_toolkit.storage.npy_header import NpyHeader
from pgan_toolkit.storage.npz_members import StoredArray, find_arrays, write_member
from pgan_toolkit.storage.places import Place
from pgan_toolkit.storage.records import Record

__all__ = ["NumpySink", "NumpySource"]

FORMAT = "numpy"
_LABELS = ("labels", "label", "y")
_NO_LABEL = -1
_NAMED_LAYOUT = re.compile(r"(?:^|[._-])(nhwc|nchw)$")
_LAYOUT_ADVICE = (
    "name the layout: images_nhwc or images_nchw in the .npz, NAME.nhwc.npy or NAME.nchw.npy"
)
_Layout = Literal["nhwc", "nchw", "nhw"]


class NumpySource(StoredSource):
    """The pictures of an array of bytes, in its order.

    The array is mapped into memory and read where it lies; only one that was compressed is
    unpacked, whole, at the first picture that is asked for.

    Parameters
    ----------
    path : Path | RemotePath
        A .npy file, or a .npz file with one array of pictures: uint8 (N, H, W, 3), (N, 3, H, W)
        or (N, H, W), and perhaps `labels`, integers (N,), and `keys`, texts (N,).

    Raises
    ------
    DataError
        Damaged, cut short, of floats or of Python objects, or of a layout that cannot be told.
    """

    def __init__(self, path: Place) -> None:
        self._loaded: NDArray[np.uint8] | None = None
        self.path = path.absolute()
        arrays = find_arrays(Archive(self.path, whole=True))
        self._array = _pictures(arrays, self.path)
        self._layout = _layout_of(self._array, self.path)
        count = self._array.header.shape[0]
        keys = _read_keys(arrays, count)
        label_array = next((arrays[name] for name in _LABELS if name in arrays), None)
        labels = [None] * count if label_array is None else _read_labels(label_array, count)
        super().__init__(self.path, format_name=FORMAT, keys=keys, labels=labels)
        used = {self._array.name, "keys", *(() if label_array is None else (label_array.name,))}
        self.ignored = tuple(f"{name}.npy" for name in arrays if name not in used)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_loaded": None}

    def _read(self, index: int) -> Image:
        if self._loaded is None:
            self._loaded = self._array.load()
        pixels = self._loaded[index]
        if self._layout == "nhw":
            pixels = pixels[..., None]
        if self._layout == "nchw":
            pixels = pixels.transpose(1, 2, 0)
        if pixels.shape[2] == 1:
            return np.repeat(pixels, 3, axis=2)
        return np.array(pixels, order="C")

    def _inspect(self, index: int) -> PictureInfo:
        shape = self._array.header.shape[1:]
        height, width = shape[1:] if self._layout == "nchw" else shape[:2]
        return PictureInfo(height, width, int(np.prod(shape)), "pixels")


class NumpySink(StoredSink):
    """Writes a .npz file that is not compressed: `images`, uint8 (N, H, W, 3), `labels`, `keys`.

    Until it is closed, the pixels lie in a nameless file in the same folder: how many there are
    stands before them.
    """

    kind: ClassVar[Literal["file", "folder"]] = "file"

    def __init__(self, path: Place, *, overwrite: bool = False) -> None:
        super().__init__(path, overwrite=overwrite)
        self._keys: list[str] = []
        self._labels: list[int] = []
        self._size: tuple[int, int] | None = None
        self._pixels = tempfile.TemporaryFile(dir=self._target.temporary.parent)  # noqa: SIM115

    def _put(self, record: Record) -> None:
        height, width = record.image.shape[:2]
        self._size = self._size or (height, width)
        if (height, width) != self._size:
            raise DataError(
                f"{self.path}: {record.key} has {width}x{height} pixels where the pictures before "
                f"it have {self._size[1]}x{self._size[0]}; an array holds pictures of one size: "
                "write a folder or a zip file, or leave it out"
            )
        self._pixels.write(record.image.tobytes())
        self._keys.append(record.key)
        self._labels.append(_NO_LABEL if record.label is None else record.label)

    def _put_encoded(self, key: str, data: bytes, label: int | None) -> None:
        self._put(Record(key, decode_image(data, name=key), label))

    def _finish(self) -> None:
        height, width = self._size or (0, 0)
        shape = (len(self._keys), height, width, 3)
        self._pixels.seek(0)
        with zipfile.ZipFile(self._target.temporary, "w", zipfile.ZIP_STORED) as archive:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            with write_member(archive, "images", data_bytes=int(np.prod(shape))) as file:
                np.lib.format.write_array_header_1_0(file, header)
                shutil.copyfileobj(self._pixels, file, length=1 << 20)
            for name, array in (
                ("labels", np.array(self._labels, "<i8")),
                ("keys", np.array(self._keys, np.str_)),
            ):
                with write_member(archive, name, data_bytes=array.nbytes) as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)
        self._pixels.close()

    def _abandon(self) -> None:
        with contextlib.suppress(OSError):
            self._pixels.close()


def _pictures(arrays: dict[str, StoredArray], path: Place) -> StoredArray:
    """Choose the array of pictures: by its name, or as the only one that can be."""
    for name in ("images", "images_nhwc", "images_nchw"):
        if name in arrays:
            return arrays[name]
    found = [array for array in arrays.values() if _could_be_pictures(array.header)]
    if len(found) == 1:
        return found[0]
    held = ", ".join(
        f"{array.name} {array.header.dtype} {array.header.shape}" for array in arrays.values()
    )
    raise DataError(
        f"{path}: {'several arrays' if found else 'no array'} of pictures among: "
        f"{held or 'nothing'}; expected one array uint8 (N, H, W, 3), best called 'images'"
    )


def _could_be_pictures(header: NpyHeader) -> bool:
    return len(header.shape) == 4 or (len(header.shape) == 3 and header.dtype == np.uint8)


def _layout_of(array: StoredArray, path: Place) -> _Layout:
    """Tell the order of the axes by the one that is of 3 channels or 1, or by the name."""
    shape, dtype = array.header.shape, array.header.dtype
    what = f"{array.where} is {dtype} {shape}"
    if dtype != np.uint8:
        raise DataError(
            f"{what}; expected uint8, 0..255: scale and round it first, "
            "np.clip(np.rint(x * 255), 0, 255).astype(np.uint8) if its range is 0..1"
        )
    if len(shape) not in {3, 4} or 0 in shape[1:]:
        raise DataError(f"{what}; expected (N, H, W, 3), (N, 3, H, W) or (N, H, W)")
    if len(shape) == 3:
        if shape[2] in {1, 3, 4}:
            raise DataError(
                f"{what}, which looks like one picture; expected (N, H, W) of grey levels or "
                "(N, H, W, 3): save array[None] for a set of one"
            )
        return "nhw"
    last, first = shape[3] in {1, 3}, shape[1] in {1, 3}
    named = _NAMED_LAYOUT.search(path.stem if array.of_npy else array.name)
    if named is None and last == first:
        which = "both could be channels" if last else "neither is 3 channels or 1"
        raise DataError(f"{what}; of the second and the last axis {which}: {_LAYOUT_ADVICE}")
    layout: _Layout = "nhwc" if (named[1] == "nhwc" if named else last) else "nchw"
    if not (last if layout == "nhwc" else first):
        raise DataError(f"{what}; {layout} needs 3 channels or 1: {_LAYOUT_ADVICE}")
    return layout


def _read_keys(arrays: dict[str, StoredArray], count: int) -> list[str]:
    if "keys" not in arrays:
        return [numbered_key(index) for index in range(count)]
    array = arrays["keys"]
    if array.header.dtype.kind != "U":
        raise DataError(f"{array.where} is {array.header.dtype}; expected texts, such as <U8")
    keys: list[str] = _load_column(array, count).tolist()
    register = KeyRegister(array.where)
    for key in keys:
        register.add(key)
    return keys


def _read_labels(array: StoredArray, count: int) -> list[int | None]:
    if array.header.dtype.kind not in "iu":
        raise DataError(f"{array.where} is {array.header.dtype}; expected integers, one a picture")
    labels: list[int] = _load_column(array, count).tolist()
    if min(labels, default=0) < _NO_LABEL:
        raise DataError(
            f"{array.where} holds {min(labels)}; expected class indices from 0, and -1 for none"
        )
    return [None if label == _NO_LABEL else label for label in labels]


def _load_column(array: StoredArray, count: int) -> NDArray[Any]:
    if array.header.shape not in {(count,), (count, 1)}:
        raise DataError(f"{array.where} is {array.header.shape}; expected ({count},)")
    try:
        return array.load().reshape(count)
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{array.where} is damaged ({error}); write it again") from error
