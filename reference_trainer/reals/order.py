"""Which real picture is shown when: a pure function of the seed and the position.

A position counts the reals shown to D since the beginning, over all processes. Nothing else is
remembered, so that a run that goes on, on any number of processes, sees the pictures that an
uninterrupted one sees.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.errors import UsageError
from pgan_toolkit.randomness import generator

__all__ = ["ShowingOrder", "Shown"]

_EPOCHS_KEPT = 4  # prefetching may be in the next epoch while the loop is in this one


class Shown(NamedTuple):
    """What a range of positions shows.

    Attributes
    ----------
    indices : int64 (n,)
        Of the pictures in their source.
    mirrored : bool (n,)
        Whether each is shown mirrored.
    """

    indices: NDArray[np.int64]
    mirrored: NDArray[np.bool_]


class ShowingOrder:
    """Each epoch shows every picture once, in an order of its own.

    Parameters
    ----------
    pictures : int
        How many there are, 1 or more.
    seed : int
        The run's.
    mirror : bool
        Show each picture mirrored with a probability of one half, drawn anew each epoch.
    """

    def __init__(self, pictures: int, *, seed: int, mirror: bool) -> None:
        if pictures < 1:
            raise UsageError(f"pictures={pictures}: expected 1 or more")
        self._pictures, self._seed, self._mirror = pictures, seed, mirror
        self._epoch = lru_cache(maxsize=_EPOCHS_KEPT)(self._draw_epoch)

    def at(self, first_position: int, count: int) -> Shown:
        """Return what positions first_position to first_position + count - 1 show.

        Raises
        ------
        UsageError
            The position or the count is negative.
        """
        if first_position < 0 or count < 0:
            raise UsageError(f"positions {first_position} and {count} more: expected 0 or more")
        parts = []
        position, end = first_position, first_position + count
        while position < end:
            epoch, begin = divmod(position, self._pictures)
            stop = min(begin + end - position, self._pictures)
            drawn = self._epoch(epoch)
            parts.append(Shown(drawn.indices[begin:stop], drawn.mirrored[begin:stop]))
            position += stop - begin
        if not parts:
            return Shown(np.zeros(0, np.int64), np.zeros(0, np.bool_))
        return Shown(*map(np.concatenate, zip(*parts, strict=True)))

    def _draw_epoch(self, epoch: int) -> Shown:
        order = generator(self._seed, "order of the reals", epoch)
        indices = order.permutation(self._pictures).astype(np.int64, copy=False)
        if not self._mirror:
            return Shown(indices, np.zeros(self._pictures, np.bool_))
        flips = generator(self._seed, "mirrored reals", epoch)
        return Shown(indices, flips.integers(2, size=self._pictures, dtype=np.uint8) == 1)
