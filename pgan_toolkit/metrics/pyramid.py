"""Laplacian pyramids of batches on a GPU (Burt and Adelson 1983), the same on every one to the bit.

The kernel is the 5x5 binomial one, [1 4 6 4 1]/16 along each axis, and borders are mirrored without
repeating the edge pixel. Every product is by a power of two, which is exact: whether a device fuses
a multiplication with an addition changes nothing, and neither does the place of an image in its
batch. Values are in grey levels.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from pgan_toolkit.errors import DataError

__all__ = ["laplacian_pyramid", "pyramid_down", "pyramid_up"]


def laplacian_pyramid(images: Tensor, *, levels: int) -> Iterator[Tensor]:
    """Yield the levels of a Laplacian pyramid, the finest first.

    Level l is G_l - up(G_(l+1)); the last one is the low-pass image itself.

    Parameters
    ----------
    images : tensor (N, C, H, W)
        uint8, or float32 in grey levels.
    levels : int
        How many, 1 or more.

    Yields
    ------
    Tensor
        float32 (N, C, H / 2^l, W / 2^l).

    Raises
    ------
    DataError
        The sides do not halve so often, or a level would have less than two pixels a side.
    """
    height, width = images.shape[-2:]
    step = 2 ** (levels - 1)
    if height % step or width % step or min(height, width) < 2 * step:
        raise DataError(
            f"{width}x{height} pixels; a pyramid of {levels} levels takes sides that are multiples "
            f"of {step}, and {2 * step} or more"
        )
    finer = images.to(torch.float32)
    for _ in range(levels - 1):
        coarser = pyramid_down(finer)
        yield finer - pyramid_up(coarser)
        finer = coarser
    yield finer


def pyramid_down(images: Tensor) -> Tensor:
    """Blur with the binomial kernel and keep the even rows and columns, as `cv2.pyrDown` does.

    Parameters
    ----------
    images : tensor (..., H, W)
        float32, in grey levels; even sides, 4 or more.

    Returns
    -------
    Tensor
        float32 (..., H/2, W/2).
    """
    return _down(_down(images, dim=-2), dim=-1)


def pyramid_up(images: Tensor) -> Tensor:
    """Put zeros between the samples and blur with 4 times the kernel, as `cv2.pyrUp` does.

    Parameters
    ----------
    images : tensor (..., H, W)
        float32, in grey levels; sides of 2 or more.

    Returns
    -------
    Tensor
        float32 (..., 2H, 2W).
    """
    return _up(_up(images, dim=-1), dim=-2)


def _down(x: Tensor, *, dim: int) -> Tensor:
    """Filter and halve one axis: [1 4 6 4 1]/16 around the even samples."""
    # Apart, even and odd samples are contiguous, which is what makes the sums fast.
    even, odd = (_strided(x, start=start, dim=dim).contiguous() for start in (0, 1))
    count = even.shape[dim]
    # The mirror of the whole axis: sample -2 is 2, -1 is 1, and the one past the end is the last
    # even one.
    evens = torch.cat([even.narrow(dim, 1, 1), even, even.narrow(dim, count - 1, 1)], dim)
    odds_before = torch.cat([odd.narrow(dim, 0, 1), odd.narrow(dim, 0, count - 1)], dim)
    ends = evens.narrow(dim, 0, count) + evens.narrow(dim, 2, count)
    middle = odds_before.add_(odd).add_(even)
    return ends.add_(middle, alpha=4).add_(even, alpha=2).mul_(1 / 16)


def _up(x: Tensor, *, dim: int) -> Tensor:
    """Filter and double one axis: [1 6 1]/8 at even samples of the result, [1 1]/2 at odd ones."""
    count = x.shape[dim]
    # The mirror of the axis with zeros in it, whose last sample is a zero.
    mirrored = torch.cat([x.narrow(dim, 1, 1), x, x.narrow(dim, count - 1, 1)], dim)
    after = mirrored.narrow(dim, 2, count)
    shape = list(x.shape)
    shape[dim] *= 2
    doubled = x.new_empty(shape)
    even = (mirrored.narrow(dim, 0, count) + after).add_(x, alpha=4).add_(x, alpha=2)
    torch.mul(even, 1 / 8, out=_strided(doubled, start=0, dim=dim))
    torch.mul(even.copy_(x).add_(after), 1 / 2, out=_strided(doubled, start=1, dim=dim))
    return doubled


def _strided(x: Tensor, *, start: int, dim: int) -> Tensor:
    """Every second sample of an axis (-1 or -2), without a copy."""
    return x[..., start::2] if dim == -1 else x[..., start::2, :]
