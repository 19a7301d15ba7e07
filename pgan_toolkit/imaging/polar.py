"""Where the frequencies of a picture's spectrum lie: in rings of frequency, sectors of direction.

Frequencies are in cycles per pixel. One byte a frequency says where it lies, for photographs have
tens of millions of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
from jaxtyping import Float64, Int64, UInt8

from pgan_toolkit.arrays import Plane

__all__ = [
    "RING_COUNT",
    "SECTOR_COUNT",
    "PolarLayout",
    "polar_layout",
    "ring_frequencies",
]

RING_COUNT = 16
"""Rings of equal width in octaves: four per octave from 1/32 to 1/2 cycle per pixel."""
SECTOR_COUNT = 8
"""Sectors of 22.5 degrees; the first is centred on the horizontal frequency axis."""

_FIRST_OCTAVE, _LAST_OCTAVE = -5.0, -1.0
_MOST_KEPT_BYTES = 16 << 20  # of a layout: photographs may have many sizes
_STRIP_BINS = 1 << 18  # frequencies that are looked at together


def ring_frequencies() -> Float64[np.ndarray, " rings"]:
    """Middle of each ring on the octave scale, in cycles per pixel."""
    edges = np.linspace(_FIRST_OCTAVE, _LAST_OCTAVE, RING_COUNT + 1)
    return np.asarray(2.0 ** ((edges[1:] + edges[:-1]) / 2))


@dataclass(frozen=True)
class PolarLayout:
    """Where each frequency of a half spectrum lies; ring 0 is below the first, the last beyond.

    Attributes
    ----------
    cells : uint8 (H, W // 2 + 1)
        ring * SECTOR_COUNT + sector of each frequency.
    column_weight : float64 (W // 2 + 1,)
        How many frequencies of the whole spectrum each in a column stands for, 1 or 2.
    ring_weight, cell_weight : float64
        Sums of the weights.
    """

    cells: UInt8[np.ndarray, "rows columns"]
    column_weight: Float64[np.ndarray, " columns"]
    ring_weight: Float64[np.ndarray, " rings"]
    cell_weight: Float64[np.ndarray, " cells"]

    @property
    def cell(self) -> Int64[np.ndarray, " bins"]:
        """Cell of each frequency, row after row, int64 (H * (W // 2 + 1),). Made anew."""
        return self.cells.ravel().astype(np.int64)

    @property
    def ring(self) -> Int64[np.ndarray, " bins"]:
        """Ring of each frequency, likewise."""
        return self.cell // SECTOR_COUNT

    @property
    def weight(self) -> Float64[np.ndarray, " bins"]:
        """Weight of each frequency, float64, likewise."""
        return np.tile(self.column_weight, len(self.cells))

    def ring_sums(self, values: Plane) -> Float64[np.ndarray, " rings"]:
        """Weighted sums of values by ring, float64 (RING_COUNT + 2,).

        Parameters
        ----------
        values : Plane
            float32 (H, W // 2 + 1), one a frequency.
        """
        return self._sums(values, cells_in_one=SECTOR_COUNT)

    def cell_sums(self, values: Plane) -> Float64[np.ndarray, " cells"]:
        """Weighted sums of values by cell, float64 ((RING_COUNT + 2) * SECTOR_COUNT,)."""
        return self._sums(values, cells_in_one=1)

    def _sums(self, values: Plane, *, cells_in_one: int) -> Float64[np.ndarray, " sums"]:
        sums = np.zeros(len(self.cell_weight) // cells_in_one)
        for rows in _strips(*values.shape):
            place = self.cells[rows] // np.uint8(cells_in_one)
            # In the order of the frequencies, so that the strips change no bit of the sums.
            np.add.at(sums, place.ravel(), (self.column_weight * values[rows]).ravel())
        return sums


def polar_layout(height: int, width: int) -> PolarLayout:
    """Return the rings and sectors of the half spectrum of a picture of that size.

    Those of the last sizes are kept: one byte a frequency.
    """
    small = height * (width // 2 + 1) <= _MOST_KEPT_BYTES
    return (_kept_layout if small else _last_layout)(height, width)


def _layout(height: int, width: int) -> PolarLayout:
    rows, columns = scipy.fft.fftfreq(height), scipy.fft.rfftfreq(width)
    # The half that rfft2 leaves out mirrors all columns but the first and, if even, the last.
    column_weight = np.where((columns == 0) | (columns == 0.5), 1.0, 2.0)
    cells = np.empty((height, len(columns)), np.uint8)
    for strip in _strips(*cells.shape):
        cells[strip] = _cells_of(*np.meshgrid(rows[strip], columns, indexing="ij"))
    cell_weight = np.zeros((RING_COUNT + 2) * SECTOR_COUNT)
    for row in cells:
        cell_weight += np.bincount(row, column_weight, cell_weight.size)
    ring_weight = cell_weight.reshape(-1, SECTOR_COUNT).sum(axis=1)
    return PolarLayout(cells, column_weight, ring_weight, cell_weight)


_kept_layout = lru_cache(maxsize=4)(_layout)
_last_layout = lru_cache(maxsize=1)(_layout)  # a picture needs it twice, and takes seconds to make


def _cells_of(
    fy: Float64[np.ndarray, "rows columns"], fx: Float64[np.ndarray, "rows columns"]
) -> Int64[np.ndarray, "rows columns"]:
    octave = np.log2(np.maximum(np.hypot(fx, fy), 2.0**-40))
    ring = np.digitize(octave, np.linspace(_FIRST_OCTAVE, _LAST_OCTAVE, RING_COUNT + 1))
    turn = np.arctan2(fy, fx) / np.pi * SECTOR_COUNT
    sector = np.floor(turn + 0.5).astype(np.int64) % SECTOR_COUNT
    return np.asarray(ring * SECTOR_COUNT + sector)


def _strips(height: int, columns: int) -> Iterator[slice]:
    rows = max(_STRIP_BINS // columns, 1)
    for start in range(0, height, rows):
        yield slice(start, start + rows)
