"""Power spectra of pictures: windowed, in rings of frequency, sectors of direction, and tiles.

Frequencies are in cycles per pixel. Every statistic is the same for a picture, its mirror image and
its turns by 90 degrees up to float32 rounding; spectra are of float32 luma, without torch.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import scipy.fft
from jaxtyping import Float32, Float64

from pgan_toolkit.arrays import Image, Plane
from pgan_toolkit.imaging.polar import (
    RING_COUNT,
    SECTOR_COUNT,
    PolarLayout,
    polar_layout,
    ring_frequencies,
)

__all__ = [
    "EULER_GAMMA",
    "RING_COUNT",
    "SECTOR_COUNT",
    "STILL_RATIO",
    "TILE_PX",
    "TINY_POWER",
    "PolarLayout",
    "RingSpectrum",
    "hann_window",
    "lattice_share",
    "lattice_share_of",
    "luma",
    "octave_means",
    "peak_ratio",
    "polar_layout",
    "power_spectrum",
    "ring_frequencies",
    "ring_spectrum",
    "ring_spectrum_of",
    "tile_band_power",
    "tile_grid",
]

TINY_POWER = 1e-9
"""Grey levels squared: 80 dB below 8-bit rounding; keeps log(0) out."""
TILE_PX = 32
"""Side of the tiles in which noise and flatness are looked for."""
STILL_RATIO = 0.05
"""Of the mean |Laplacian|: less is what a codec or clipping has flattened."""
EULER_GAMMA = 0.5772156649
"""Mean of -log(x) for a unit exponential x."""

_PEAK_RATIO, _LEAST_PEAK_RATIO = 150.0, 30.0  # 22 and 15 dB, where chance ends at 11 dB
_MOST_KEPT_BYTES = 16 << 20  # of a window: photographs may have many sizes


def luma(image: Image) -> Plane:
    """Rec. 601 luma, not rounded: float32 (H, W), 0..255."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2GRAY))


def power_spectrum(plane: Plane) -> tuple[Plane, float]:
    """Power spectrum under a Hann window, and the variance under it.

    The window takes away the picture's frame, whose jump would otherwise draw a bright cross,
    and nearly all of a padded border.

    Parameters
    ----------
    plane : Plane
        float32 (H, W), in grey levels.

    Returns
    -------
    power : Plane
        float32 (H, W // 2 + 1), grey levels squared, frequencies laid out as by
        `scipy.fft.rfft2`. White noise of variance v has a mean power of v at every frequency.
    variance : float
        Variance of the plane, weighted by the squared window, in grey levels squared.
    """
    window, weight = hann_window(*plane.shape)
    mean = float(np.vdot(plane, window)) / float(window.sum())
    windowed = (plane - np.float32(mean)) * window
    transform = scipy.fft.rfft2(windowed, workers=1)
    power = np.square(transform.real) + np.square(transform.imag)
    power *= np.float32(1 / weight)
    return power, float(np.vdot(windowed, windowed)) / weight


def hann_window(height: int, width: int) -> tuple[Plane, float]:
    """Hann window over both axes, float32 (height, width), and the sum of its squares.

    It is not to be changed: that of a small picture is kept.
    """
    small = np.dtype(np.float32).itemsize * height * width <= _MOST_KEPT_BYTES
    window = (_kept_window if small else _window)(height, width)
    return window, _sum_of_squares(height, width)


def _window(height: int, width: int) -> Plane:
    window = np.empty((height, width), np.float32)
    np.multiply(_hann(height)[:, None], _hann(width), out=window, casting="same_kind")
    window.setflags(write=False)
    return window


_kept_window = lru_cache(maxsize=4)(_window)


@lru_cache(maxsize=64)
def _sum_of_squares(height: int, width: int) -> float:
    return float(np.square(_window(height, width), dtype=np.float64).sum())


def _hann(size: int) -> Float64[np.ndarray, " size"]:
    """Hann window sampled at the middle of each pixel, so that it is its own mirror image."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(size) + 0.5) / size))


@dataclass(frozen=True, eq=False)
class RingSpectrum:
    """A power spectrum summed up by rings and sectors. NaN where no frequency falls.

    Attributes
    ----------
    mean : float64 (RING_COUNT,)
        Mean power of each ring, grey levels squared.
    log_mean : float64 (RING_COUNT, SECTOR_COUNT)
        Mean of the natural logarithm of the power, plus Euler's gamma: for a Gaussian random
        field this is the logarithm of the mean power. Isolated peaks hardly move it.
    asymmetry : float64 (RING_COUNT,)
        log(mean power) minus the mean log power of the whole ring, less Euler's gamma: 0 for a
        radially symmetric Gaussian field; peaks, spokes and dead directions raise it.
    """

    mean: Float64[np.ndarray, " rings"]
    log_mean: Float64[np.ndarray, "rings sectors"]
    asymmetry: Float64[np.ndarray, " rings"]


def ring_spectrum(power: Plane, *, width: int) -> RingSpectrum:
    """Sum up a half spectrum by rings and sectors.

    Parameters
    ----------
    power : Plane
        float32 (H, W // 2 + 1), from `power_spectrum`.
    width : int
        W, the width of the picture.
    """
    polar = polar_layout(power.shape[0], width)
    logs = np.log(power + np.float32(TINY_POWER))
    return ring_spectrum_of(
        polar,
        rings=polar.ring_sums(power),
        cells=polar.cell_sums(logs),
    )


def ring_spectrum_of(
    polar: PolarLayout,
    *,
    rings: Float64[np.ndarray, " rings"],
    cells: Float64[np.ndarray, " cells"],
) -> RingSpectrum:
    """Make a spectrum of its weighted sums.

    Parameters
    ----------
    polar : PolarLayout
        Of the picture's size.
    rings : float64 (RING_COUNT + 2,)
        Sum of the power in each ring.
    cells : float64 ((RING_COUNT + 2) * SECTOR_COUNT,)
        Sum of log(power + TINY_POWER) in each cell.
    """
    inside = slice(1, RING_COUNT + 1)
    with np.errstate(invalid="ignore"):  # 0 / 0 where no frequency falls
        mean = rings / polar.ring_weight
        ring_log = cells.reshape(-1, SECTOR_COUNT).sum(axis=1) / polar.ring_weight + EULER_GAMMA
        cell_log = (cells / polar.cell_weight).reshape(-1, SECTOR_COUNT) + EULER_GAMMA
    asymmetry = np.log(mean + TINY_POWER) - ring_log
    return RingSpectrum(mean[inside], cell_log[inside], asymmetry[inside])


def tile_band_power(plane: Plane, *, tile_px: int = TILE_PX) -> Float32[np.ndarray, "tiles 3"]:
    """Mean power of each tile in the octaves 1/16..1/8, 1/8..1/4 and 1/4..1/2 cycle per pixel.

    Parameters
    ----------
    plane : Plane
        float32 (H, W), in grey levels, at least one tile large.
    tile_px : int
        Side of the tiles. They do not overlap; a remainder is left out on all sides alike.

    Returns
    -------
    float32 (tiles, 3)
        Grey levels squared, scaled as in `power_spectrum`.
    """
    top, left, rows, cols = tile_grid(*plane.shape, tile_px=tile_px)
    middle = plane[top : top + rows * tile_px, left : left + cols * tile_px]
    tiles = (
        middle.reshape(rows, tile_px, cols, tile_px).swapaxes(1, 2).reshape(-1, tile_px, tile_px)
    )
    tiles = tiles - tiles.mean(axis=(1, 2), keepdims=True)
    window, weight = hann_window(tile_px, tile_px)
    transform = scipy.fft.rfft2(tiles * window, workers=1)
    power = (np.square(transform.real) + np.square(transform.imag)).reshape(len(tiles), -1)
    return np.asarray(power @ octave_means(tile_px) / np.float32(weight))


def tile_grid(height: int, width: int, *, tile_px: int) -> tuple[int, int, int, int]:
    """Top and left of the centred tiles of a picture, and their rows and columns."""
    rows, cols = height // tile_px, width // tile_px
    return (height - rows * tile_px) // 2, (width - cols * tile_px) // 2, rows, cols


@lru_cache(maxsize=4)
def octave_means(tile_px: int) -> Float32[np.ndarray, "bins 3"]:
    """Weights that make a tile's half spectrum into its means in the last three octaves."""
    polar = polar_layout(tile_px, tile_px)
    per_octave = RING_COUNT // 4
    octave = (polar.ring - 1) // per_octave
    chosen = np.stack([np.where(octave == k, polar.weight, 0.0) for k in (1, 2, 3)], axis=1)
    return np.asarray((chosen / chosen.sum(axis=0)).astype(np.float32))


def lattice_share(plane: Plane) -> float:
    """Share of the variation of fine detail that repeats on a lattice.

    Compression blocks, printing screens, pixel grids and enlargement make fine detail stronger
    and weaker in step, at any pitch and angle. The map of it, log(1 + |Laplacian| / its mean),
    then has isolated peaks in its spectrum; a picture's own texture has none. The logarithm
    keeps the strong edges of a picture from drowning the weak ones of a lattice.

    The stronger the compression, the more of the blocks are flat, and the fewer of the lattice's
    edges are left to see; so the share counts by the part of the picture that holds detail.

    Parameters
    ----------
    plane : Plane
        float32 (H, W), in grey levels, at least one tile of 32x32 large.

    Returns
    -------
    float
        0..1: power of the map in frequencies that exceed the level of their ring 150 times,
        over all its power there, averaged over the rings from 1/32 to 1/2 cycle per pixel, and
        divided by the part of the pixels that hold detail. White noise of 1024x1024 has 0: its
        largest of half a million frequencies exceeds the level 13 times. A lattice's peak grows
        with the number of pixels, so smaller pictures have a smaller threshold in proportion,
        down to 30.
    """
    detail = np.abs(cv2.Laplacian(plane, cv2.CV_32F, borderType=cv2.BORDER_REFLECT_101))
    mean = float(detail.mean())
    if mean <= 0:
        return 0.0
    detail *= np.float32(1 / mean)
    power, _ = power_spectrum(np.log1p(detail))
    pixels, tiles = _parts_with_detail(detail)
    return lattice_share_of(*_in_peaks_and_all(power, plane), pixels=pixels, tiles=tiles)


def lattice_share_of(
    in_peaks: Float64[np.ndarray, " rings"],
    in_all: Float64[np.ndarray, " rings"],
    *,
    pixels: float,
    tiles: float,
) -> float:
    """Share of the detail that repeats, of its sums.

    Parameters
    ----------
    in_peaks, in_all : float64 (RING_COUNT + 2,)
        Power of the map of detail in each ring: of the frequencies that exceed their ring's
        level, and of all.
    pixels, tiles : float
        Parts of the picture that hold detail, 0..1. Tiles that are flat as a whole are clipped or
        painted backgrounds, which no lattice crosses and no codec made flat: they do not count.
    """
    full = in_all[1:-1] > 0
    share = float(np.mean(in_peaks[1:-1][full] / in_all[1:-1][full]))
    return min(share / min(pixels / tiles, 1.0), 1.0)


def peak_ratio(pixels: int) -> float:
    """How often a peak exceeds the level of its ring in a picture of so many pixels."""
    return max(_PEAK_RATIO * pixels / 2**20, _LEAST_PEAK_RATIO)


def _parts_with_detail(detail: Plane) -> tuple[float, float]:
    """Parts of the pixels and of the tiles that are not flat, 0..1."""
    cols, rows = detail.shape[1] // TILE_PX, detail.shape[0] // TILE_PX
    by_tile = cv2.resize(detail, (cols, rows), interpolation=cv2.INTER_AREA)
    pixels = np.count_nonzero(detail > STILL_RATIO) / detail.size
    return pixels, np.count_nonzero(by_tile > STILL_RATIO) / by_tile.size


def _in_peaks_and_all(
    power: Plane, plane: Plane
) -> tuple[Float64[np.ndarray, " rings"], Float64[np.ndarray, " rings"]]:
    polar = polar_layout(*plane.shape)
    power = power + np.float32(TINY_POWER)
    full = np.flatnonzero(polar.ring_weight[1:-1] > 0) + 1
    level = np.full(polar.ring_weight.size, np.inf, np.float32)
    logs = polar.ring_sums(np.log(power))
    level[full] = np.exp(logs[full] / polar.ring_weight[full] + EULER_GAMMA)
    least = np.repeat(np.float32(peak_ratio(plane.size)) * level, SECTOR_COUNT)
    peaks = np.where(power > np.take(least, polar.cells), power, np.float32(0))
    return polar.ring_sums(peaks), polar.ring_sums(power)
