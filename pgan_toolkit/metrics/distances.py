"""Which points lie near which: exact answers from fast, inexact products of matrices.

In float32 |x|^2 + |y|^2 - 2 x.y is off by up to (D + 16) 2^-24 (|x|^2 + |y|^2). Whatever this
leaves open is computed once more in float64 from the difference of the two points, which is 0 for
equal ones. So no answer depends on the block size, and few pairs need the slow way.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.metrics.features import Features

__all__ = ["Distances", "Squares", "blocks", "nearest_radii"]

ENTRIES_TOGETHER = 2**24
"""Distances that are held at once, of 4 bytes each, in a few arrays."""

_NUMBERS_TOGETHER = 2**22

Squares = NDArray[np.float64]
"""Squared distances."""


@dataclass(frozen=True)
class Distances:
    """Squared distances of some points to all others, as far as they are known.

    Attributes
    ----------
    rows : range
        Indices of the points x, one a row.
    x, y : Features
        All points.
    near : float32 (len(rows), len(y))
        The squared distances.
    error : float32 (len(rows), 1)
        What they are off by at most.
    """

    rows: range
    x: Features
    y: Features
    near: Features
    error: Features

    def within(self, squares: Squares, *, closed: bool) -> NDArray[np.bool_]:
        """Whether each distance is below a radius, or equal to it where balls are closed.

        Parameters
        ----------
        squares : float64 (len(rows), 1) or (1, len(y))
            Squared radii.
        closed : bool
            Whether the radius itself counts.

        Returns
        -------
        bool (len(rows), len(y))
        """
        radii = squares.astype(np.float32)
        margin = self.error + np.spacing(radii)
        inside = self.near < radii - margin
        first, second = np.nonzero(~inside & (self.near <= radii + margin))
        limits = np.broadcast_to(squares, self.near.shape)[first, second]
        exact = self.exact(first, second)
        inside[first, second] = exact <= limits if closed else exact < limits
        return inside

    def exact(self, first: NDArray[np.intp], second: NDArray[np.intp]) -> Squares:
        """Squared distances of pairs (row in this block, index of y), in float64."""
        found = self.near[first, second].astype(np.float64)
        unsure = np.flatnonzero(self.error[first, 0])  # equal points only have no error
        step = max(1, _NUMBERS_TOGETHER // self.x.shape[1])
        for start in range(0, len(unsure), step):
            part = unsure[start : start + step]
            left = self.x[self.rows.start + first[part]].astype(np.float64)
            left -= self.y[second[part]]
            found[part] = (left * left).sum(axis=1)
        return found


def blocks(x: Features, y: Features) -> Iterator[Distances]:
    """Yield the distances of the points x to all points y, some rows at a time.

    Parameters
    ----------
    x, y : Features
        (N, D) and (M, D).
    """
    centre = y.mean(axis=0, dtype=np.float64).astype(np.float32)
    right = y - centre
    right_squares = (right.astype(np.float64) ** 2).sum(axis=1)
    unit = (x.shape[1] + 16) * 2.0**-24
    step = max(1, ENTRIES_TOGETHER // max(len(y), 1))
    for start in range(0, len(x), step):
        left = x[start : start + step] - centre
        left_squares = (left.astype(np.float64) ** 2).sum(axis=1, keepdims=True)
        near = left @ right.T
        near *= -2
        near += left_squares.astype(np.float32)
        near += right_squares.astype(np.float32)
        error = unit * (left_squares + right_squares.max())
        yield Distances(range(start, start + len(left)), x, y, near, error.astype(np.float32))


def nearest_radii(x: Features, *, ks: tuple[int, ...]) -> list[Squares]:
    """Return each point's squared distance to its k-th nearest other point, for several k.

    Parameters
    ----------
    x : Features
        (N, D), N above every k.
    ks : tuple of int
        1 or more each.

    Returns
    -------
    list of float64 (N,)
        One array for each k.
    """
    found = np.empty((len(ks), len(x)))
    for block in blocks(x, x):
        own = np.arange(len(block.rows))
        block.near[own, block.rows.start + own] = np.inf
        most = np.partition(block.near, max(ks) - 1, axis=1)[:, max(ks) - 1, None]
        first, second = np.nonzero(block.near <= most + 2 * block.error)
        exact = block.exact(first, second)
        order = np.lexsort((exact, first))
        starts = np.searchsorted(first, own)  # `first` ascends already
        for place, k in enumerate(ks):
            found[place, block.rows.start + own] = exact[order][starts + k - 1]
    return list(found)
