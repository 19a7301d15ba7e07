"""The quality score that decides which aligned pictures are kept.

Karras et al. (2018), appendix C, rank pictures by "a frequency-based quality metric that favors
images whose power spectrum contains a broad range of frequencies and is approximately radially
symmetric", and publish nothing more. This one is this project's own; docs/quality.md has the
reasons, and benchmarks/quality_score.py the proof.

The score compares pictures of one size. It does not change with brightness, contrast, mirroring or
turns by 90 degrees, but for clipping and rounding to 8 bits.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging.spectra import (
    RingSpectrum,
    lattice_share,
    luma,
    power_spectrum,
    ring_frequencies,
    ring_spectrum,
    tile_band_power,
)

__all__ = [
    "MIN_SIDE_PX",
    "QualityReport",
    "measure_quality",
    "quality_of",
    "quality_score",
    "require_scorable",
]

MIN_SIDE_PX = 64
"""Smaller pictures have too few frequencies for a spectrum in rings and sectors."""

_DB = 10 / np.log(10)  # decibels per unit of the natural logarithm of a power
_BLANK_VARIANCE = 1e-3  # grey levels squared; one pixel off by one in 1024x1024 has 1e-6

# Level of f^2 P(f) / variance: sharp photographs keep about -22 dB in every octave; the rounding
# to 8 bits alone reaches -52 dB in the top octave of a picture of usual contrast.
_ALIVE_DB, _DEAD_DB = -22.0, -52.0
_WEAK_SECTORS = 2

# Beyond what hair, collars and frames of glasses do to a ring of a clean photograph.
_NATURAL_ASYMMETRY_DB = 4.0
_ASYMMETRY_COST = 6.0

# The smoothest fifth of a photograph: skin out of focus, plain background, a blurred border. The
# lowest of the three octaves is where grain and the noise of an enlarged picture are.
_SMOOTH_PERCENTILE = 20.0
_NATURAL_NOISE_DB = np.array([-16.0, -26.0, -36.0])
_STRONG_NOISE_DB = 100.0

# High-quality JPEG leaves 0.03 to 0.09; quality 50 about 0.13, 20 about 0.24, 5 about 0.35. The
# square spares the first, because a blur that wipes them out must not gain by it.
_NATURAL_LATTICE = 0.07
_LATTICE_COST = 3000.0


@dataclass(frozen=True)
class QualityReport:
    """The score of a picture and what it is made of.

    Attributes
    ----------
    score : float
        bandwidth - asymmetry - noise - lattice. Higher is better; sharp portraits of 1024x1024
        have 28 to 86, enlarged thumbnails 0 to 15, screens and strong JPEG less than 0.
    bandwidth : float
        0..100: how much of the range of frequencies is alive, in the weakest directions.
    asymmetry : float
        Cost of conspicuous directions and of isolated peaks, at least 0.
    noise : float
        Cost of noise in the smoothest parts, at least 0.
    lattice : float
        Cost of blocks and grids, at least 0.
    """

    score: float
    bandwidth: float
    asymmetry: float
    noise: float
    lattice: float


def quality_score(image: Image) -> float:
    """Score of a picture, higher is better. Always finite.

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3), RGB, at least 64x64. Only scores of equal sizes compare.

    Raises
    ------
    DataError
        The picture is smaller than 64x64.
    """
    return measure_quality(image).score


def measure_quality(image: Image) -> QualityReport:
    """Score of a picture with its components, as in `quality_score`.

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3), RGB, at least 64x64.

    Returns
    -------
    QualityReport
        All zero for a blank picture.

    Raises
    ------
    DataError
        The picture is smaller than 64x64.
    """
    require_scorable(height=image.shape[0], width=image.shape[1])
    plane = luma(image)
    power, variance = power_spectrum(plane)
    if variance < _BLANK_VARIANCE:
        return QualityReport(0.0, 0.0, 0.0, 0.0, 0.0)
    return quality_of(
        variance,
        ring_spectrum(power, width=image.shape[1]),
        tile_power=tile_band_power(plane / np.float32(np.sqrt(variance))),
        lattice=lattice_share(plane),
    )


def require_scorable(*, height: int, width: int) -> None:
    """Raise DataError for a picture that is too small to have a score."""
    if min(height, width) < MIN_SIDE_PX:
        raise DataError(
            f"a picture of {width}x{height} pixels has no quality score; expected at least "
            f"{MIN_SIDE_PX}x{MIN_SIDE_PX}: leave it out or score a larger version"
        )


def quality_of(
    variance: float,
    spectrum: RingSpectrum,
    *,
    tile_power: Float32[np.ndarray, "tiles 3"],
    lattice: float,
) -> QualityReport:
    """Score of a picture, of what was measured on its luma.

    Parameters
    ----------
    variance : float
        As by `power_spectrum`.
    spectrum : RingSpectrum
        As by `ring_spectrum`.
    tile_power : float32 (tiles, 3)
        As by `tile_band_power`, of luma with a variance of 1.
    lattice : float
        As by `lattice_share`.
    """
    if variance < _BLANK_VARIANCE:
        return QualityReport(0.0, 0.0, 0.0, 0.0, 0.0)
    bandwidth = _bandwidth(spectrum, variance)
    asymmetry = _asymmetry(spectrum)
    noise = _noise(tile_power)
    cost = _LATTICE_COST * max(lattice - _NATURAL_LATTICE, 0.0) ** 2
    return QualityReport(bandwidth - asymmetry - noise - cost, bandwidth, asymmetry, noise, cost)


def _bandwidth(spectrum: RingSpectrum, variance: float) -> float:
    full = ~np.isnan(spectrum.log_mean).any(axis=1)
    whitened = spectrum.log_mean[full] + 2 * np.log(ring_frequencies()[full, None])
    level_db = _DB * (whitened - np.log(variance))
    weakest = np.sort(level_db, axis=1)[:, :_WEAK_SECTORS].mean(1)
    alive = np.clip((weakest - _DEAD_DB) / (_ALIVE_DB - _DEAD_DB), 0, 1)
    # Squared: power a little above rounding is what codecs leave, not detail.
    return 100 * float(np.mean(alive**2))


def _asymmetry(spectrum: RingSpectrum) -> float:
    excess_db = _DB * spectrum.asymmetry - _NATURAL_ASYMMETRY_DB
    return _ASYMMETRY_COST * float(np.nanmean(np.maximum(excess_db, 0)))


def _noise(tile_power: Float32[np.ndarray, "tiles 3"]) -> float:
    power = np.percentile(tile_power, _SMOOTH_PERCENTILE, axis=0)
    excess_db = float(np.maximum(_DB * np.log(power + 1e-12) - _NATURAL_NOISE_DB, 0).sum())
    # More than linear: sensor grain must cost less than the blur that would remove it, strong
    # noise more than the bandwidth that it feigns.
    return excess_db * (1 + excess_db / _STRONG_NOISE_DB)
