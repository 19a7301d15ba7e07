"""Pictures at lower resolutions: means of blocks on the CPU, and the cross-fade on the device."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pgan_toolkit.errors import UsageError

__all__ = ["cross_fade", "reduce_images", "reduced_levels"]

_PIXELS_IN_16_BITS = 256  # 256 x 255 is the largest sum of whole blocks that uint16 holds


def reduce_images(images: NDArray[np.uint8], *, resolution: int) -> NDArray[np.uint8]:
    """Reduce pictures to a resolution by the means of blocks.

    Parameters
    ----------
    images : uint8 (N, C, R, R)
        R is `resolution` times a power of two.
    resolution : int
        Pixels a side of the result.

    Returns
    -------
    uint8 (N, C, r, r)
        The exact mean of each block, rounded once, halves to the even integer: not the mean of
        rounded means.

    Raises
    ------
    UsageError
        R is no such multiple.
    """
    return reduced_levels(images, resolutions=[resolution])[0]


def reduced_levels(
    images: NDArray[np.uint8], *, resolutions: Sequence[int]
) -> list[NDArray[np.uint8]]:
    """Reduce pictures to several resolutions, each as `reduce_images` does, in one pass.

    Parameters
    ----------
    images : uint8 (N, C, R, R)
        R is each resolution times a power of two.
    resolutions : sequence of int
        Pixels a side, in any order.

    Returns
    -------
    list of uint8 (N, C, r, r)
        In the order of the resolutions; of R itself the pictures as they are, not copied.

    Raises
    ------
    UsageError
        R is no such multiple.
    """
    side = images.shape[-1]
    for resolution in resolutions:
        _check_multiple(side, resolution)
    levels = {side: images}
    sums: NDArray[np.unsignedinteger] = images
    for halvings in range(1, (side // min(resolutions, default=side)).bit_length()):
        block_pixels = 4**halvings
        sums = _sums_of_2x2(sums, np.uint16 if block_pixels <= _PIXELS_IN_16_BITS else np.uint32)
        if side >> halvings in resolutions:
            levels[side >> halvings] = np.rint(sums / block_pixels).astype(np.uint8)
    return [levels[resolution] for resolution in resolutions]


def _check_multiple(side: int, resolution: int) -> None:
    factor = side // max(resolution, 1)
    if factor < 1 or factor * resolution != side or factor & (factor - 1):
        raise UsageError(
            f"resolution={resolution}: pictures of {side}x{side} pixels are reduced to "
            f"{side}, {side / 2:g}, {side / 4:g}, ... only"
        )


def _sums_of_2x2(
    images: NDArray[np.unsignedinteger], dtype: type[np.unsignedinteger]
) -> NDArray[np.unsignedinteger]:
    rows = np.add(images[..., 0::2, :], images[..., 1::2, :], dtype=dtype)
    sums: NDArray[np.unsignedinteger] = np.add(rows[..., 0::2], rows[..., 1::2], dtype=dtype)
    return sums


def cross_fade(images: Tensor, alpha: float | Tensor) -> Tensor:
    """Mix pictures with their copy of half the resolution, as a block that fades in sees them.

    alpha x + (1 - alpha) up(down(x)), where down takes 2x2 means and up replicates (the paper's
    figure 2, done to the real pictures; alpha = 1 - frac(lod) in the authors' program).

    Parameters
    ----------
    images : float (N, C, r, r)
        In any range; r is even, unless alpha is the number 1.
    alpha : float or 0-dimensional tensor
        0 to 1: the weight of the pictures as they are. A tensor is not looked at by the CPU.

    Returns
    -------
    float (N, C, r, r)
        With the number 1 the pictures themselves.

    Raises
    ------
    UsageError
        alpha is a number outside 0 to 1.
    """
    if not isinstance(alpha, Tensor):
        if not 0 <= alpha <= 1:
            raise UsageError(f"alpha={alpha}: expected 0 to 1")
        if alpha == 1:
            return images
    halved = functional.avg_pool2d(images, kernel_size=2)
    coarse = functional.interpolate(halved, scale_factor=2, mode="nearest")
    return torch.lerp(coarse, images, alpha)
