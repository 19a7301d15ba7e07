"""The oriented crop in torch: bilinear samples and the box filter, as `imaging.warp_quad` has them.

The supersampled picture is never whole: bands of it are made and averaged. A band of 256 rows of
a crop of 1024 pixels takes 100 MiB with its coordinates, the whole picture would take four times
that. Samples are rounded to grey levels before they are averaged, as the two steps of the other
path do.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pgan_toolkit.arrays import Quad
from pgan_toolkit.imaging.warping import SUPERSAMPLING, sampling_map

__all__ = ["box_warp"]

_BAND_SAMPLES = 2**22  # samples that are made at once


def box_warp(image: Tensor, quad: Quad, *, size: int) -> Tensor:
    """Resample a parallelogram of the picture to size x size pixels by bilinear and box filter.

    Parameters
    ----------
    image : Tensor
        uint8 (3, H, W).
    quad : Quad
        float64 (4, 2), corners in pixels, as `imaging.warp_quad` takes them.
    size : int
        Side of the result, pixels.

    Returns
    -------
    Tensor
        uint8 (3, size, size), on the same device.
    """
    source = image[None].float()
    result = torch.empty((3, size, size), dtype=torch.uint8, device=image.device)
    side = SUPERSAMPLING * size
    rows = max(_BAND_SAMPLES // side // SUPERSAMPLING, 1)
    for top in range(0, size, rows):
        bottom = min(top + rows, size)
        shape = (SUPERSAMPLING * (bottom - top), side)
        grid = _grid(sampling_map(quad, side, SUPERSAMPLING * top), shape, image)
        samples = functional.grid_sample(
            source, grid, mode="bilinear", padding_mode="border", align_corners=True
        )
        means = functional.avg_pool2d(samples.round_(), SUPERSAMPLING)
        result[:, top:bottom] = means[0].round_().to(torch.uint8)
    return result


def _grid(to_source: NDArray[np.float64], shape: tuple[int, int], image: Tensor) -> Tensor:
    """Where samples lie, float32 (1, rows, columns, 2): -1 the first, 1 the last pixel's centre."""
    grid = torch.empty((1, *shape, 2), dtype=torch.float32, device=image.device)
    row, column = (
        torch.arange(length, dtype=torch.float64, device=image.device) for length in shape
    )
    for axis, length in enumerate((image.shape[2], image.shape[1])):
        by_column, by_row, origin = (float(value) for value in to_source[axis])
        unit = 2 / max(length - 1, 1)
        # By sums of float32 as they are: a product of matrices might be TF32 on a GPU.
        across = (column * (by_column * unit)).float()
        down = (row * (by_row * unit) + (origin * unit - 1)).float()
        torch.add(across[None], down[:, None], out=grid[0, :, :, axis])
    return grid
