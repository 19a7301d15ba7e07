"""CIFAR-10's batch files as arrays: pickles of its Python version, bytes of its binary one."""

from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from pgan_toolkit.errors import DataError
from pgan_toolkit.recipes.unpickling import ARRAY_MAKERS, Call, read_pickle

__all__ = ["Batch", "read_binary_batch", "read_python_batch"]

_SIDE_PX = 32
_PIXEL_BYTES = 3 * _SIDE_PX**2
_ROW_BYTES = 1 + _PIXEL_BYTES
_CLASSES = 10
_REMEDY = "it is not one of CIFAR-10's published files: get it again"


class Batch(NamedTuple):
    """Pictures and their classes.

    `images` is uint8 (N, 32, 32, 3), RGB; `labels` uint8 (N,), 0..9: airplane, automobile, bird,
    cat, deer, dog, frog, horse, ship, truck.
    """

    images: UInt8[np.ndarray, "_ 32 32 3"]
    labels: UInt8[np.ndarray, " _"]


def read_python_batch(data: bytes, *, name: str) -> Batch:
    """Read a batch of the Python version: a pickled dict with `data` and `labels`.

    Parameters
    ----------
    data : bytes
        The file `data_batch_1` and so on.
    name : str
        What an error calls it.

    Raises
    ------
    DataError
        It is damaged or something else. No code in it is run.
    """
    content = read_pickle(data, name=name)
    if not isinstance(content, dict) or not {"data", "labels"} <= content.keys():
        raise DataError(f"{name}: holds no dict of 'data' and 'labels'; {_REMEDY}")
    labels = content["labels"]
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise DataError(f"{name}: 'labels' is no list of whole numbers; {_REMEDY}")
    if not labels or min(labels) < 0 or max(labels) >= _CLASSES:
        raise DataError(f"{name}: expected labels from 0 to 9, one at least; {_REMEDY}")
    rows = _pixels(content["data"], count=len(labels), name=name)
    return Batch(_pictures(rows), np.array(labels, np.uint8))


def read_binary_batch(data: bytes, *, name: str) -> Batch:
    """Read a batch of the binary version: for each picture its label, then red, green and blue.

    Parameters
    ----------
    data : bytes
        The file `data_batch_1.bin` and so on.
    name : str
        What an error calls it.

    Raises
    ------
    DataError
        It is cut short or something else.
    """
    if not data or len(data) % _ROW_BYTES:
        raise DataError(
            f"{name}: {len(data):,} bytes; expected a multiple of {_ROW_BYTES:,}, a label and "
            f"32x32 pixels for each picture; {_REMEDY}"
        )
    rows = np.frombuffer(data, np.uint8).reshape(-1, _ROW_BYTES)
    labels = rows[:, 0].copy()
    if labels.max() >= _CLASSES:
        raise DataError(f"{name}: has the label {labels.max()}; expected 0 to 9; {_REMEDY}")
    return Batch(_pictures(rows[:, 1:]), labels)


def _pictures(rows: UInt8[np.ndarray, "_ 3072"]) -> UInt8[np.ndarray, "_ 32 32 3"]:
    """Rows of red, green and blue planes as pictures."""
    planes = rows.reshape(-1, 3, _SIDE_PX, _SIDE_PX)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def _pixels(value: object, *, count: int, name: str) -> UInt8[np.ndarray, "_ 3072"]:
    """Make the array that numpy would have made of (version, shape, dtype, by columns?, bytes)."""
    state = value.state if isinstance(value, Call) and value.text in ARRAY_MAKERS else None
    match state:
        case (1, (int(rows), int(columns)), Call() as dtype, bool(by_columns), raw):
            shape, contents = (rows, columns), _raw_bytes(raw)
        case _:
            raise DataError(f"{name}: 'data' is no numpy array; {_REMEDY}")
    if dtype.text != "numpy dtype" or dtype.arguments[:1] not in {("u1",), ("|u1",)}:
        raise DataError(f"{name}: 'data' does not hold bytes (u1); {_REMEDY}")
    if shape != (count, _PIXEL_BYTES) or len(contents) != count * _PIXEL_BYTES:
        raise DataError(
            f"{name}: 'data' is of shape {shape} in {len(contents):,} bytes; expected "
            f"({count}, {_PIXEL_BYTES}), a row for each of its {count:,} labels; {_REMEDY}"
        )
    return np.frombuffer(contents, np.uint8).reshape(shape, order="F" if by_columns else "C")


def _raw_bytes(raw: object) -> bytes:
    """Bytes as Python 2 pickles them (a str by Latin-1) or Python 3 (a call that encodes a str)."""
    match raw:
        case str() as text:
            pass
        case Call(text="_codecs encode", arguments=(str() as text, "latin1")):
            pass
        case _:
            return b""
    try:
        return text.encode("latin1")
    except UnicodeEncodeError:
        return b""
