"""A real side of the SWD projected and sorted before: what is compared with many fake ones."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.metrics.descriptors import SwdSettings, swd_levels

__all__ = [
    "GROUP_DIRECTIONS",
    "DamagedRowsError",
    "KeepRow",
    "ReadRow",
    "RowLayout",
    "SortedPart",
    "SortedSide",
    "group_picks",
]

GROUP_DIRECTIONS = 32
"""Of the first repeat: the spread between groups of images is larger than that of directions."""

KeepRow = Callable[[int, int, int, NDArray[np.float32], float], None]
"""Takes part, level, direction, the sorted projections and what is to be added to them."""

ReadRow = Callable[[int, int, NDArray[np.float32]], None]
"""Takes a row's number, the place of its first number, and where to put them; by several threads
at once. Raises `DamagedRowsError`."""


class DamagedRowsError(Exception):
    """Rows that were kept are not what they were: they have to be sorted again."""


def group_picks(images: int, group: int, groups: int) -> NDArray[np.int64]:
    """Return the images of one of several disjoint groups: every so many-th."""
    return np.arange(group, images, groups)


@dataclass(frozen=True, kw_only=True)
class RowLayout:
    """Where sorted rows lie behind each other: by part, level and direction.

    Part 0 is all images, along the directions of all repeats; parts 1, 2, ... are the groups of
    images, along the first `GROUP_DIRECTIONS` directions.

    Attributes
    ----------
    settings : SwdSettings
        Patches, directions, repeats.
    size : (int, int)
        Height and width of the images.
    images, groups : int
        How many.
    """

    settings: SwdSettings
    size: tuple[int, int]
    images: int
    groups: int

    @property
    def levels(self) -> tuple[tuple[int, int], ...]:
        """(height, width) of each level."""
        return swd_levels(*self.size, settings=self.settings)

    @property
    def parts(self) -> list[tuple[int, int]]:
        """Rows a level and numbers a row, of each part."""
        settings = self.settings
        found = [(settings.directions * settings.repeats, self.images)]
        for group in range(self.groups):
            images = len(group_picks(self.images, group, self.groups))
            found.append((min(GROUP_DIRECTIONS, settings.directions), images))
        return [(rows, images * settings.patches) for rows, images in found]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(len(self.levels) * rows for rows, _ in self.parts)

    @property
    def numbers(self) -> int:
        """How many numbers there are, in all rows."""
        return sum(len(self.levels) * rows * numbers for rows, numbers in self.parts)

    def places(self) -> list[list[tuple[int, int, int]]]:
        """Return for each part and level the first row, the first number, and numbers a row."""
        blocks = [part for part in self.parts for _ in self.levels]
        rows = [0, *accumulate(rows for rows, _ in blocks)]
        starts = [0, *accumulate(rows * numbers for rows, numbers in blocks)]
        flat = [(rows[k], starts[k], numbers) for k, (_, numbers) in enumerate(blocks)]
        step = len(self.levels)
        return [flat[first : first + step] for first in range(0, len(flat), step)]


@dataclass(frozen=True, eq=False)
class SortedPart:
    """The rows of all images or of a group.

    `read` takes a level, a direction and where to put the row; it returns what is to be added.
    """

    read: Callable[[int, int, NDArray[np.float32]], float]


class SortedSide:
    """A real side by its sorted rows alone, for the same settings and groups of images.

    Parameters
    ----------
    layout : RowLayout
        Of the rows.
    read : callable
        Reads a row.
    offsets : array
        float64 (layout.rows,): what is to be added to the numbers of each.
    flat : tuple of bool
        Of each level, whether some channel is the same everywhere.
    """

    side = "real"

    def __init__(
        self,
        layout: RowLayout,
        read: ReadRow,
        offsets: NDArray[np.float64],
        *,
        flat: tuple[bool, ...],
    ) -> None:
        self.layout = layout
        self.flat = flat
        self._read, self._offsets = read, offsets
        self._places = layout.places()

    def __len__(self) -> int:
        return self.layout.images

    @property
    def settings(self) -> SwdSettings:
        """Of the patches and directions."""
        return self.layout.settings

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images."""
        return self.layout.size

    @property
    def levels(self) -> tuple[tuple[int, int], ...]:
        """(height, width) of each level."""
        return self.layout.levels

    def part(self, number: int) -> SortedPart:
        """Return all images (0), or a group of them (1, 2, ...)."""
        places = self._places[number]

        def read(level: int, direction: int, out: NDArray[np.float32]) -> float:
            row, start, count = places[level]
            self._read(row + direction, start + direction * count, out)
            return float(self._offsets[row + direction])

        return SortedPart(read)
