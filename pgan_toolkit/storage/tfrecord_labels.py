"""The labels beside multi-resolution TFRecord files: NAME-rxx.labels, an array of one-hot rows."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.archives import Archive
from pgan_toolkit.storage.npz_members import find_arrays
from pgan_toolkit.storage.places import Place

__all__ = ["LABELS_SUFFIX", "read_labels", "write_labels"]

LABELS_SUFFIX = "-rxx.labels"
_MOST_BYTES = 2 << 30


def read_labels(path: Place, count: int) -> list[int | None]:
    """Read one class index a picture; None where the row is 0.

    Parameters
    ----------
    path : Path | RemotePath
        A .npy array under another name: numbers (N, classes) of one-hot rows, or integers (N,).
    count : int
        Pictures.

    Raises
    ------
    DataError
        Damaged, of another number of pictures, or rows of more than one class.
    """
    array = next(iter(find_arrays(Archive(path, whole=True)).values()), None)
    if array is None or array.header.dtype.kind not in "fiu" or array.header.shape[:1] != (count,):
        found = "nothing" if array is None else f"{array.header.dtype} {array.header.shape}"
        raise _unusable(path, f"holds {found}", count)
    values = array.load()
    if values.ndim == 1 and values.dtype.kind in "iu" and (values >= 0).all():
        return [int(value) for value in values]
    if values.ndim != 2 or ((values != 0) & (values != 1)).any() or (values.sum(1) > 1).any():
        raise _unusable(path, "holds rows that are not one-hot", count)
    if values.shape[1] == 0:
        return [None] * count
    rows = zip(values.argmax(1).tolist(), values.max(1).tolist(), strict=True)
    return [label if known else None for label, known in rows]


def write_labels(path: Path, labels: Sequence[int | None]) -> None:
    """Write one-hot rows, float32 (N, classes), as other programs read them; 0 for no label.

    Raises
    ------
    DataError
        The class indices are so large that the rows would take more than 2 GiB.
    """
    classes = 1 + max((label for label in labels if label is not None), default=-1)
    if 4 * classes * len(labels) > _MOST_BYTES:
        raise DataError(
            f"{path}: {len(labels):,} one-hot rows of {classes:,} classes take more than "
            f"{_MOST_BYTES >> 30} GiB; write a folder, a zip file or HDF5"
        )
    rows = np.zeros((len(labels), classes), np.float32)
    for row, label in zip(rows, labels, strict=True):
        if label is not None:
            row[label] = 1
    with path.open("wb") as file:
        np.lib.format.write_array(file, rows, allow_pickle=False)


def _unusable(path: Place, what: str, count: int) -> DataError:
    return DataError(
        f"{path}: {what}; expected {count:,} one-hot rows or class indices: rename the file to "
        "read the pictures without labels"
    )
