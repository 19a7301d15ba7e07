"""MNIST as arrays."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics.networks.digits import DIGIT_SIZE_PX
from pgan_toolkit.storage.idx import read_idx
from pgan_toolkit.wording import counted

__all__ = ["DigitImages", "DigitLabels", "Digits", "Split", "load_mnist"]

Split = Literal["train", "test"]
DigitImages = UInt8[np.ndarray, "_ 28 28"]
"""Grey digits, white on black, 0..255."""
DigitLabels = UInt8[np.ndarray, " _"]
"""Their classes, 0..9."""

_PREFIXES: dict[Split, str] = {"train": "train", "test": "t10k"}


@dataclass(frozen=True, eq=False)
class Digits:
    """Digits and what they are.

    Attributes
    ----------
    images : DigitImages
        uint8 (N, 28, 28).
    labels : DigitLabels
        uint8 (N,).
    """

    images: DigitImages
    labels: DigitLabels

    def __len__(self) -> int:
        return len(self.labels)


def load_mnist(folder: Path, *, split: Split) -> Digits:
    """Read the images and labels of one of MNIST's parts.

    Parameters
    ----------
    folder : Path
        Holds the official files, train-images-idx3-ubyte.gz and so on, compressed or not.
    split : {"train", "test"}
        The 60,000 digits to train on, or the 10,000 to test on.

    Raises
    ------
    UsageError
        There is no such folder.
    DataError
        A file is missing, damaged or another one; images and labels do not belong together.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; name that of MNIST's official files")
    images_path = _find(folder, f"{_PREFIXES[split]}-images-idx3-ubyte")
    labels_path = _find(folder, f"{_PREFIXES[split]}-labels-idx1-ubyte")
    images, labels = read_idx(images_path, ndim=3), read_idx(labels_path, ndim=1)
    if images.shape[1:] != (DIGIT_SIZE_PX, DIGIT_SIZE_PX):
        raise DataError(
            f"{images_path}: images of {images.shape[1]}x{images.shape[2]} pixels; expected 28x28"
        )
    if len(images) != len(labels) or not len(images):
        raise DataError(
            f"{images_path} has {counted(len(images), 'image')} and {labels_path} "
            f"{counted(len(labels), 'label')}; expected as many, and one at least; get both files "
            "again"
        )
    if labels.max() > 9:
        raise DataError(f"{labels_path}: has the label {labels.max()}; expected digits, 0 to 9")
    return Digits(images, labels)


def _find(folder: Path, name: str) -> Path:
    names = (name, f"{name}.gz")
    for path in (folder / each for each in names):
        if path.is_file():
            return path
    raise DataError(
        f"{folder}: holds neither {' nor '.join(names)}; name the folder of MNIST's official files"
    )
