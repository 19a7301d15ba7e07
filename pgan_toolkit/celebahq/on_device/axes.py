"""What each step of the padding does along one axis: which pixels it takes, and with what weight.

Plain NumPy, in float64, from lengths alone. Borders are OpenCV's: BORDER_REFLECT_101 mirrors at the
first pixel's centre, BORDER_REFLECT at its edge.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Between", "area_matrix", "between", "blur_matrix", "mirrored"]

_Numbers = NDArray[np.int64]
_Matrix = NDArray[np.float32]


class Between(NamedTuple):
    """Interpolation of positions between two neighbours each.

    Attributes
    ----------
    lower, higher : int64 (n,)
        The neighbours.
    share : float32 (n,)
        Weight of the higher one, 0..1.
    """

    lower: _Numbers
    higher: _Numbers
    share: NDArray[np.float32]


def mirrored(length: int, before: int, after: int) -> _Numbers:
    """Return which of `length` pixels each pixel of the mirrored axis repeats."""
    if length == 1:
        return np.zeros(before + 1 + after, np.int64)
    period = 2 * (length - 1)
    place = np.arange(-before, length + after) % period
    return np.minimum(place, period - place)


def area_matrix(source: _Numbers, size: int, *, length: int) -> _Matrix:
    """Means over equal parts of an axis, float32 (size, length).

    Parameters
    ----------
    source : int64 (n,)
        Which of `length` pixels each pixel of the axis repeats.
    size : int
        Parts.
    length : int
        Pixels that there are.
    """
    ratio = len(source) / size
    begin = np.arange(size)[:, None] * ratio
    pixel = np.floor(begin).astype(np.int64) + np.arange(int(ratio) + 2)
    overlap = np.minimum(begin + ratio, pixel + 1) - np.maximum(begin, pixel)
    weights = np.clip(overlap, 0, None) / ratio
    return _gathered(weights, source[np.minimum(pixel, len(source) - 1)], length)


def blur_matrix(length: int, *, sigma_px: float, reach_px: int) -> _Matrix:
    """A Gaussian kernel along an axis that is mirrored at its edges, float32 (length, length)."""
    offset = np.arange(-reach_px, reach_px + 1)
    kernel = np.exp(-0.5 * (offset / sigma_px) ** 2)
    place = (np.arange(length)[:, None] + offset) % (2 * length)
    weights = np.broadcast_to(kernel / kernel.sum(), place.shape)
    return _gathered(weights, np.minimum(place, 2 * length - 1 - place), length)


def between(positions: NDArray[np.floating], length: int) -> Between:
    """Return the neighbours of positions among `length` pixels, the outermost beyond the ends."""
    inside = np.clip(positions, 0, length - 1)
    lower = np.floor(inside).astype(np.int64)
    higher = np.minimum(lower + 1, length - 1)
    return Between(lower, higher, (inside - lower).astype(np.float32))


def _gathered(weights: NDArray[np.float64], pixels: _Numbers, length: int) -> _Matrix:
    matrix = np.zeros((len(weights), length))
    np.add.at(matrix, (np.arange(len(weights))[:, None], pixels), weights)
    return matrix.astype(np.float32)
