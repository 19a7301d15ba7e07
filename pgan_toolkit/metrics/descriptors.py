"""Descriptors of the sliced Wasserstein distance: where patches lie, and what is cut out there.

A descriptor is one 7x7x3 patch of one level of a Laplacian pyramid, in int16 steps of 1/128 of a
grey level. So sums over any number of them are exact integers, which do not depend on the order,
and half the memory is needed; a step is far below the noise of 8-bit images.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.imaging import laplacian_steps
from pgan_toolkit.metrics.pyramid import laplacian_pyramid
from pgan_toolkit.randomness import generator

__all__ = [
    "STEPS_PER_GREY_LEVEL",
    "Side",
    "SwdSettings",
    "cut_descriptors",
    "patch_positions",
    "swd_levels",
]

Side = Literal["real", "fake"]
STEPS_PER_GREY_LEVEL = 128
"""A Laplacian level lies within -255..255 grey levels, times 128 within int16."""
_IMAGES_A_DRAW = 64
"""Positions are drawn for so many images at once: a generator costs more than its numbers."""


@dataclass(frozen=True, kw_only=True)
class SwdSettings:
    """What decides the number. The defaults are the published protocol.

    Attributes
    ----------
    patches : int
        Patches an image and level.
    patch_size : int
        Side of a patch in pixels, odd or even.
    directions, repeats : int
        Random directions a repeat, and independent repeats, over which the standard error is.
    smallest_level : int
        Levels halve while they are not lower than this, in pixels.
    seed : int
        Of all positions and directions.
    """

    patches: int = 128
    patch_size: int = 7
    directions: int = 128
    repeats: int = 4
    smallest_level: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("patches", "patch_size", "directions", "repeats"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)}: expected 1 or more")
        if self.smallest_level < max(self.patch_size, 2):
            raise UsageError(
                f"smallest_level={self.smallest_level}: expected {max(self.patch_size, 2)} or "
                "more, so that a level holds a patch"
            )
        if self.seed < 0:
            raise UsageError(f"seed={self.seed}: expected 0 or more")

    @property
    def dimensions(self) -> int:
        """Length of a descriptor: three channels of a patch."""
        return 3 * self.patch_size**2


def swd_levels(
    height: int, width: int, *, settings: SwdSettings | None = None
) -> tuple[tuple[int, int], ...]:
    """Return the (height, width) of every level, the largest first.

    Parameters
    ----------
    height, width : int
        Of the images, in pixels. They may differ; levels are counted by the height.
    settings : SwdSettings | None
        None: the published protocol.

    Returns
    -------
    tuple of (int, int)
        1024 pixels give 7 levels, 128 four and 16 one.

    Raises
    ------
    DataError
        The image is too small, or its sides do not halve evenly.
    """
    settings = settings or SwdSettings()
    smallest, patch = settings.smallest_level, settings.patch_size
    if height < smallest:
        raise DataError(
            f"images of {width}x{height} pixels (width x height): the SWD takes heights of "
            f"{smallest} or more; resize them"
        )
    step = 2 ** ((height // smallest).bit_length() - 1)
    if height % step or width % step or width // step < patch:
        good_height = height - height % step
        good_width = max(width - width % step, patch * step)
        raise DataError(
            f"images of {width}x{height} pixels (width x height) do not halve evenly down to a "
            f"level of {smallest} or more that holds {patch}x{patch} patches: crop or resize them, "
            f"to {good_width}x{good_height} for example (both sides multiples of {step})"
        )
    levels = step.bit_length()
    return tuple((height >> level, width >> level) for level in range(levels))


@lru_cache(maxsize=64)
def _drawn_positions(
    settings: SwdSettings, side: Side, level: tuple[int, int], draw: int
) -> NDArray[np.int64]:
    random = generator(settings.seed, f"swd positions {side} {level[0]}x{level[1]}", draw)
    ends = [size - settings.patch_size + 1 for size in level]
    return random.integers(0, ends, size=(_IMAGES_A_DRAW, settings.patches, 2))


def patch_positions(
    indices: range, *, side: Side, level: tuple[int, int], settings: SwdSettings
) -> NDArray[np.int64]:
    """Return where the patches of some images lie: it depends on an image's index alone.

    Parameters
    ----------
    indices : range
        Of the images in their set.
    side : {"real", "fake"}
        The two sides draw differently; all fake sets of a seed draw alike.
    level : (int, int)
        Height and width of the level.
    settings : SwdSettings
        Patches, patch size and seed.

    Returns
    -------
    array
        int64 (images, patches, 2): row and column of the top left pixel, uniform over all places
        where the patch fits.
    """
    first, last = indices.start // _IMAGES_A_DRAW, (indices.stop - 1) // _IMAGES_A_DRAW
    drawn = [_drawn_positions(settings, side, level, draw) for draw in range(first, last + 1)]
    offset = first * _IMAGES_A_DRAW
    return np.concatenate(drawn)[indices.start - offset : indices.stop - offset]


def cut_descriptors(
    images: Tensor, indices: range, *, side: Side, settings: SwdSettings
) -> list[NDArray[np.int16]]:
    """Cut the patches of every level out of a few images.

    Parameters
    ----------
    images : tensor (N, 3, H, W)
        uint8, RGB, on any device.
    indices : range
        Of the images in their set.
    side, settings
        As in `patch_positions`.

    Returns
    -------
    list of arrays
        A level each: int16 (N, patches, 3 * patch_size^2) in steps of 1/128 grey level, row by row
        and pixel by pixel, the three channels of a pixel together.
    """
    levels = swd_levels(*images.shape[-2:], settings=settings)
    pyramids = _on_cpu if images.device.type == "cpu" else _on_gpu
    cut = []
    for level, planes in zip(levels, pyramids(images, levels), strict=True):
        positions = patch_positions(indices, side=side, level=level, settings=settings)
        cut.append(_patches(planes, positions, settings.patch_size))
    return cut


def _on_cpu(images: Tensor, levels: tuple[tuple[int, int], ...]) -> Iterable[Tensor]:
    """Levels in steps, int16 (N, H, W, 3), contiguous: by OpenCV, in a quarter of torch's time."""
    found = [np.empty((len(images), *level, 3), np.int16) for level in levels]
    for image, *out in zip(images.numpy(), *found, strict=True):
        laplacian_steps(image, steps=STEPS_PER_GREY_LEVEL, out=out)
    return map(torch.from_numpy, found)


def _on_gpu(images: Tensor, levels: tuple[tuple[int, int], ...]) -> Iterable[Tensor]:
    """As `_on_cpu`, but for 1e-4 grey level in the sums before they are rounded to steps."""
    for planes in laplacian_pyramid(images, levels=len(levels)):
        steps = (planes * STEPS_PER_GREY_LEVEL).round_().to(torch.int16)
        yield steps.permute(0, 2, 3, 1).contiguous()


def _patches(planes: Tensor, positions: NDArray[np.int64], size: int) -> NDArray[np.int16]:
    """Cut int16 (N, patches, 3 * size^2) out of contiguous planes (N, H, W, 3)."""
    count, height, width, channels = planes.shape
    device = planes.device
    row, column = torch.from_numpy(positions).to(device).unbind(-1)
    first_row = height * torch.arange(count, device=device).view(count, 1, 1)
    rows = first_row + row[:, :, None] + torch.arange(size, device=device)
    starts = channels * (rows * width + column[:, :, None])
    # A view of every run of a patch's row: picking runs is many times as fast as numbers.
    run = channels * size
    runs = planes.as_strided((planes.numel() - run + 1, run), (1, 1))
    picked = runs.index_select(0, starts.flatten())
    return picked.view(count, positions.shape[1], -1).cpu().numpy()
