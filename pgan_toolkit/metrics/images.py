"""The batches that metrics take, checked once at their door."""

import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.errors import DataError

__all__ = ["ImageBatch", "as_images"]

if TYPE_CHECKING:
    ImageBatch = Tensor
else:
    ImageBatch = UInt8[Tensor, "_ 3 _ _"]
    """A batch of images, (N, 3, H, W), RGB, 0..255."""


def as_images(images: Tensor | NDArray[np.generic], *, name: str = "images") -> ImageBatch:
    """Return a batch as uint8 (N, 3, H, W), on the device where it was.

    The scale of floats is never guessed. A batch whose largest value is above 0 and at most 1 can
    be of 0..1 or nearly black on 0..255, and is refused; all black is the same on both, and uint8
    is taken as it is.

    Parameters
    ----------
    images : tensor or array (N, 3, H, W), RGB
        uint8; or floating point within 0..255, which is rounded to what a file would hold.
    name : str
        What messages call it.

    Returns
    -------
    ImageBatch
        uint8 (N, 3, H, W).

    Raises
    ------
    DataError
        Another shape or type, values outside 0..255, NaN, or floats whose scale is not sure.
    """
    batch = _tensor(images)
    if batch.ndim != 4 or batch.shape[1] != 3:
        shape = tuple(batch.shape)
        hint = "; permute(0, 3, 1, 2) puts the channels second" if shape[-1:] == (3,) else ""
        raise DataError(f"{name}: shape {shape}; expected (N, 3, H, W), RGB{hint}")
    if batch.dtype == torch.uint8:
        return batch
    if not batch.is_floating_point():
        raise DataError(f"{name}: {batch.dtype}; expected uint8, or floats within 0..255")
    return _rounded(batch, name=name)


def _tensor(images: Tensor | NDArray[np.generic]) -> Tensor:
    """Share an array's memory where torch can."""
    if not isinstance(images, np.ndarray):
        return torch.as_tensor(images)
    if min(images.strides, default=0) < 0 or not images.dtype.isnative:
        images = np.array(images, images.dtype.newbyteorder("="), order="C")
    with warnings.catch_warnings():
        # Of arrays that are not to be written to: nobody here writes to images.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(images)


def _rounded(batch: Tensor, *, name: str) -> Tensor:
    if batch.numel() == 0:
        return batch.to(torch.uint8)
    low, high = (float(value) for value in torch.aminmax(batch))
    if not (low >= 0 and high <= 255):  # a NaN fails both
        raise DataError(
            f"{name}: floats from {low:g} to {high:g}; expected 0..255: scale what is within "
            "-1..1 by (x + 1) * 127.5, and clip what a network overshoots"
        )
    if 0 < high <= 1:
        raise DataError(
            f"{name}: floats from {low:g} to {high:g}: of 0..1, or nearly black on 0..255? "
            "Multiply by 255 in the one case; in the other give bytes: images.round() as uint8"
        )
    return batch.round().to(torch.uint8)
