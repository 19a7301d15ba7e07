"""The oriented crop in torch: bilinear samples and the box filter, as `imaging.warp_quad` has them.

The supersampled picture is never whole: bands of it are made and averaged. Samples are rounded to
grey levels before they are averaged, as the two steps of the other path do; and they are placed
and mixed by the float32 operations of OpenCV's, so that one that lies between two levels goes the
same way. (`grid_sample` places them by other roundings; three times as many pixels differed.)
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pgan_toolkit.arrays import Quad
from pgan_toolkit.celebahq.on_device.transfer import sent
from pgan_toolkit.imaging.warping import STRIP_ROWS, SUPERSAMPLING, sampling_map

__all__ = ["box_warp"]

_BAND_SAMPLES = 2**22  # that are made at once


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
    source = image.float()
    across, down = (sent(part, image.device) for part in _places(quad, size))
    result = torch.empty((3, size, size), dtype=torch.uint8, device=image.device)
    band = max(_BAND_SAMPLES // across.shape[1] // SUPERSAMPLING, 1)
    for top in range(0, size, band):
        rows = slice(SUPERSAMPLING * top, SUPERSAMPLING * (top + band))
        x, y = (a[None] + d[rows, None] for a, d in zip(across, down, strict=True))
        means = functional.avg_pool2d(_bilinear(source, x, y).round_(), SUPERSAMPLING)
        result[:, top : top + band] = means.round_().to(torch.uint8)
    return result


def _places(quad: Quad, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Terms whose sums are the samples' places, as OpenCV has them in strips of the result.

    Returns
    -------
    float32 (2, columns)
        What the column adds to x and y.
    float32 (2, rows)
        What the row adds: each strip counts its rows from 0.
    """
    side = SUPERSAMPLING * size
    number = np.arange(side, dtype=np.float32)
    by_strip = []
    for top in range(0, side, STRIP_ROWS):
        to_source = sampling_map(quad, side, top).astype(np.float32)
        rows = number[: min(STRIP_ROWS, side - top)]
        by_strip.append(to_source[:, 1:2] * rows + to_source[:, 2:])
    return to_source[:, :1] * number, np.concatenate(by_strip, axis=1)


def _bilinear(source: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Values of float32 (3, H, W) between its pixels; beyond the edge those of the edge."""
    height, width = source.shape[1:]
    left, top = x.floor(), y.floor()
    columns = [(left + step).clamp_(0, width - 1).int() for step in (0, 1)]
    rows = [(top + step).clamp_(0, height - 1).int().mul_(width) for step in (0, 1)]
    flat = source.reshape(3, height * width)
    upper, lower = (
        _between(
            flat.index_select(1, (row + columns[0]).flatten()),
            flat.index_select(1, (row + columns[1]).flatten()),
            x - left,
        )
        for row in rows
    )
    return _between(upper, lower, y - top).reshape(3, *x.shape)


def _between(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """Mix: first + share (second - first), in the place of the second."""
    return second.sub_(first).mul_(share.flatten()).add_(first)
