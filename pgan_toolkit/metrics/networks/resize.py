"""Resizing as the graphs of TensorFlow 1 do it."""

import torch
from torch import Tensor

from pgan_toolkit.errors import UsageError

__all__ = ["tf1_bilinear"]


def tf1_bilinear(images: Tensor, *, height: int, width: int) -> Tensor:
    """Resize as TensorFlow 1's `ResizeBilinear` does with `align_corners` false.

    Row y of the result lies at row y * (H / height) of the input: the centres of pixels are not
    aligned, and nothing is smoothed before it is reduced. Between two pixels the value is
    a + (b - a) * t in float32, along the rows first, which is the kernel's own order.

    Parameters
    ----------
    images : tensor (N, C, H, W)
        uint8 or float32, any range.
    height, width : int
        Size of the result, pixels.

    Returns
    -------
    Tensor
        float32 (N, C, height, width), in the range of the input, on its device.

    Raises
    ------
    UsageError
        The input has no pixels, or a size is below 1.
    """
    if min(*images.shape[2:], height, width) < 1:
        raise UsageError(
            f"resizing {tuple(images.shape)} to {height}x{width}: expected 1 pixel or more"
        )
    return _lerp(_lerp(images, dim=3, size=width), dim=2, size=height)


def _lerp(images: Tensor, *, dim: int, size: int) -> Tensor:
    length = images.shape[dim]
    # float32 throughout, as the kernel: in float64 the positions, and a few pixels, would differ.
    scale = torch.tensor(length, dtype=torch.float32) / size
    position = torch.arange(size, dtype=torch.float32) * scale
    lower = position.floor()
    shape = [1] * images.ndim
    shape[dim] = size
    between = (position - lower).view(shape).to(images.device)
    low = lower.long().clamp(max=length - 1).to(images.device)
    high = (low + 1).clamp(max=length - 1)
    first = images.index_select(dim, low).float()
    return first + (images.index_select(dim, high).float() - first) * between
