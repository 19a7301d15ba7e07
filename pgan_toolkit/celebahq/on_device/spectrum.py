"""What the quality score is made of, measured in torch: the sums over pixels and frequencies.

They come to the host as one small vector, and `quality_of` makes the score of them as it does of
NumPy's. Sums are float64 over pixels in a fixed order, since adding by atomic operations would give
another score each time.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pgan_toolkit.celebahq.on_device.axes import area_matrix
from pgan_toolkit.celebahq.quality import QualityReport, quality_of, require_scorable
from pgan_toolkit.imaging.spectra import (
    EULER_GAMMA,
    RING_COUNT,
    SECTOR_COUNT,
    STILL_RATIO,
    TILE_PX,
    TINY_POWER,
    hann_window,
    lattice_share_of,
    octave_means,
    peak_ratio,
    polar_layout,
    ring_spectrum_of,
    tile_grid,
)

__all__ = ["Measured", "measure_spectrum"]

_LUMA = (0.299, 0.587, 0.114)
_RINGS = RING_COUNT + 2
_CELLS = _RINGS * SECTOR_COUNT
_ROW = 1024  # bins that are added up at once


@dataclass(frozen=True, eq=False)
class Measured:
    """Sums of a picture, still on the device.

    Attributes
    ----------
    height, width : int
        Of the picture, pixels.
    sums : float64 (n,)
        All of them in one vector, as `report` reads it.
    """

    height: int
    width: int
    sums: Tensor

    def report(self, sums: Tensor) -> QualityReport:
        """Return the score of the sums, which have come to the CPU."""
        values = sums.numpy()
        variance, detail, pixels, tiles = (float(value) for value in values[:4])
        rings, cells, in_all, in_peaks, tile_power = np.split(
            values[4:], np.cumsum([_RINGS, _CELLS, _RINGS, _RINGS])
        )
        spectrum = ring_spectrum_of(polar_layout(self.height, self.width), rings=rings, cells=cells)
        lattice = 0.0
        if detail > 0:
            lattice = lattice_share_of(in_peaks, in_all, pixels=pixels, tiles=tiles)
        power = tile_power.astype(np.float32).reshape(-1, 3)
        return quality_of(variance, spectrum, tile_power=power, lattice=lattice)


def measure_spectrum(image: Tensor) -> Measured:
    """Measure what the quality score is made of.

    Parameters
    ----------
    image : Tensor
        uint8 (3, H, W), RGB, at least 64x64.

    Raises
    ------
    DataError
        The picture is smaller than 64x64.
    """
    height, width = image.shape[1:]
    require_scorable(height=height, width=width)
    layout = _layout(height, width, image.device)
    plane = (image.float() * layout.luma).sum(0)
    power, variance = _power_spectrum(plane)
    linear, logs = layout.cell_sums(power, torch.log(power + TINY_POWER))
    detail = functional.conv2d(
        functional.pad(plane[None, None], (1, 1, 1, 1), mode="reflect"), layout.laplacian
    )[0, 0].abs_()
    mean = detail.mean(dtype=torch.float64)
    detail = detail / mean.float()
    parts = (
        torch.stack([variance, mean, *_parts_with_detail(detail)]),
        _by_ring(linear),
        logs,
        *_all_and_peaks(detail, layout),
        _tile_power(plane / variance.sqrt().float()).double().flatten(),
    )
    return Measured(height, width, torch.cat(parts))


class _Layout:
    """What is the same for all pictures of a size, on the device."""

    def __init__(self, height: int, width: int, device: torch.device) -> None:
        polar = polar_layout(height, width)
        self.luma = torch.tensor(_LUMA, device=device)[:, None, None]
        self.ring = torch.from_numpy(polar.ring).to(device)
        self.ring_weight = torch.from_numpy(polar.ring_weight).to(device)
        self.laplacian = torch.tensor(
            [[[[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]]], device=device
        )
        bins, weights, rows = _in_rows(polar.cell)
        self._bins = torch.from_numpy(bins).to(device)
        self._weights = torch.from_numpy(weights * polar.weight[bins]).to(device)
        self._rows = torch.from_numpy(rows).to(device)

    def cell_sums(self, *values: Tensor) -> Tensor:
        """Weighted sums of values at all frequencies by cell, float64 (len(values), cells)."""
        sums = []
        for value in values:
            weighted = value.flatten().double()[self._bins] * self._weights
            sums.append(torch.mv(self._rows, weighted.reshape(-1, _ROW).sum(1)))
        return torch.stack(sums)


@lru_cache(maxsize=4)
def _layout(height: int, width: int, device: torch.device) -> _Layout:
    return _Layout(height, width, device)


def _in_rows(
    cell: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Bins in the order of their cells, each cell filled up to whole rows.

    Returns
    -------
    int64 (rows * _ROW,)
        The bins; what fills up is bin 0.
    float64 (rows * _ROW,)
        1, or 0 for what fills up.
    float64 (cells, rows)
        1 for the rows of a cell.
    """
    counts = np.bincount(cell, minlength=_CELLS)
    lengths = -(-counts // _ROW)
    ends = np.cumsum(lengths)
    bins = np.zeros(int(ends[-1]) * _ROW, np.int64)
    order = np.argsort(cell, kind="stable")
    begin = np.repeat((ends - lengths) * _ROW - (np.cumsum(counts) - counts), counts)
    place = begin + np.arange(len(cell))
    bins[place] = order
    weights = np.zeros(len(bins))
    weights[place] = 1
    rows = np.zeros((_CELLS, int(ends[-1])))
    rows[np.repeat(np.arange(_CELLS), lengths), np.arange(int(ends[-1]))] = 1
    return bins, weights, rows


def _by_ring(cells: Tensor) -> Tensor:
    return cells.reshape(_RINGS, SECTOR_COUNT).sum(1)


def _power_spectrum(plane: Tensor) -> tuple[Tensor, Tensor]:
    """As `imaging.power_spectrum`; the variance is float64 and on the device too."""
    window, weight, total = _window(*plane.shape, plane.device)
    mean = (plane * window).sum(dtype=torch.float64) / total
    windowed = (plane - mean.float()) * window
    transform = torch.fft.rfft2(windowed)
    power = transform.real.square() + transform.imag.square()
    return power / weight, windowed.square().sum(dtype=torch.float64) / weight


@lru_cache(maxsize=8)
def _window(height: int, width: int, device: torch.device) -> tuple[Tensor, float, float]:
    window, weight = hann_window(height, width)
    return torch.tensor(window, device=device), weight, float(window.sum())


def _tile_power(plane: Tensor) -> Tensor:
    """As `imaging.tile_band_power`, float32 (tiles, 3)."""
    top, left, rows, columns = tile_grid(*plane.shape, tile_px=TILE_PX)
    middle = plane[top : top + rows * TILE_PX, left : left + columns * TILE_PX]
    tiles = middle.reshape(rows, TILE_PX, columns, TILE_PX).swapaxes(1, 2)
    tiles = tiles.reshape(-1, TILE_PX, TILE_PX)
    window, weight, _ = _window(TILE_PX, TILE_PX, plane.device)
    transform = torch.fft.rfft2((tiles - tiles.mean((1, 2), keepdim=True)) * window)
    power = (transform.real.square() + transform.imag.square()).flatten(1)
    return torch.mm(power, _octaves(plane.device)) / weight


@lru_cache(maxsize=4)
def _octaves(device: torch.device) -> Tensor:
    return torch.tensor(octave_means(TILE_PX), device=device)


def _parts_with_detail(detail: Tensor) -> tuple[Tensor, Tensor]:
    """Parts of the pixels and of the tiles that are not flat."""
    by_y, by_x = (_tile_means(length, detail.device) for length in detail.shape)
    by_tile = by_y @ detail @ by_x.T
    return (
        (detail > STILL_RATIO).sum().double() / detail.numel(),
        (by_tile > STILL_RATIO).sum().double() / by_tile.numel(),
    )


@lru_cache(maxsize=8)
def _tile_means(length: int, device: torch.device) -> Tensor:
    matrix = area_matrix(np.arange(length), length // TILE_PX, length=length)
    return torch.from_numpy(matrix).to(device)


def _all_and_peaks(detail: Tensor, layout: _Layout) -> tuple[Tensor, Tensor]:
    """Power of the map of detail by ring: of all frequencies, and of those that are peaks."""
    power, _ = _power_spectrum(torch.log1p(detail))
    flat = power.flatten() + TINY_POWER
    logs = _by_ring(layout.cell_sums(flat.log())[0])
    level = torch.exp(logs / layout.ring_weight + EULER_GAMMA).float()
    level[0] = level[-1] = torch.inf  # not counted; NaN where a ring is empty
    peaks = flat > peak_ratio(detail.numel()) * level[layout.ring]
    sums = layout.cell_sums(flat, torch.where(peaks, flat, 0.0))
    return _by_ring(sums[0]), _by_ring(sums[1])
