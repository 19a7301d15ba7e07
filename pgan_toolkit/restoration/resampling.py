"""Lanczos resampling of float pictures on any device, by whole factors.

The pixels are those of Pillow's Lanczos but for rounding: a network's result is resampled as it is,
rounded once at the end, and need not leave the GPU for it.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from pgan_toolkit.errors import UsageError

__all__ = ["LANCZOS_A", "lanczos_enlarge", "lanczos_shrink"]

LANCZOS_A = 3
"""Lobes of the kernel on each side, in pixels of the coarser of the two pictures."""


def lanczos_enlarge(images: Tensor, *, factor: int) -> Tensor:
    """Enlarge float (N, C, H, W) to (N, C, factor H, factor W); factor 1 changes nothing.

    Parameters
    ----------
    images : Tensor
        Any range; the result can overshoot it.
    factor : int
        A power of two.
    """
    return _both_axes(images, factor, functional.conv_transpose2d)


def lanczos_shrink(images: Tensor, *, factor: int) -> Tensor:
    """Shrink float (N, C, H, W) to (N, C, H / factor, W / factor); factor 1 changes nothing.

    Raises
    ------
    UsageError
        The size is no multiple of the factor.
    """
    if images.shape[2] % factor or images.shape[3] % factor:
        raise UsageError(f"{tuple(images.shape[2:])} pixels cannot be shrunk by {factor} evenly")
    return _both_axes(images, factor, functional.conv2d)


def _both_axes(images: Tensor, factor: int, convolution: Callable[..., Tensor]) -> Tensor:
    if factor == 1:
        return images
    count, channels, height, width = images.shape
    planes = images.reshape(count * channels, 1, height, width)
    # Shrinking and enlarging are one another's transpose: one kernel serves both.
    kernel = _kernel(factor, images.device, images.dtype)
    padding = (len(kernel) - factor) // 2
    for shape, stride, pad in (
        ((1, 1, -1, 1), [factor, 1], [padding, 0]),
        ((1, 1, 1, -1), [1, factor], [0, padding]),
    ):
        weight = kernel.reshape(shape)
        # At an edge the kernel is cut off, and what is left of it weighs as much as all of it.
        share = convolution(torch.ones_like(planes[:1]), weight, stride=stride, padding=pad)
        planes = convolution(planes, weight, stride=stride, padding=pad) / share
    return planes.reshape(count, channels, *planes.shape[2:])


@cache  # to copy it to a GPU waits for all that is still to be done there
def _kernel(factor: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Weights at the pixels of the finer picture around the centre of a coarser one's pixel."""
    reach = LANCZOS_A * factor
    with torch.inference_mode(mode=False):  # it outlives the context that it is made in
        distance = (torch.arange(2 * reach, dtype=torch.float64) + 0.5 - reach) / factor
        return (torch.sinc(distance) * torch.sinc(distance / LANCZOS_A)).to(device, dtype)
