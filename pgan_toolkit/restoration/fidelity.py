"""How close a picture is to its original: PSNR, SSIM and the energy of its finest detail."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging import full_luma, is_grey, laplacian_band_energies, studio_luma

__all__ = ["BANDS", "Fidelity", "compare", "psnr", "ssim"]

BANDS = 2
"""Laplacian bands whose energy is compared: those that reducing four times takes away."""

_SSIM_WINDOW_PX = 11
_SSIM_SIGMA_PX = 1.5
_PEAK = 255.0

_Plane = NDArray[np.float64]
_Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Fidelity:
    """How close a result is to the original.

    Attributes
    ----------
    psnr_luma, psnr_rgb : float
        dB; infinite where the two are equal.
    ssim_luma, ssim_rgb : float
        Up to 1; over RGB the mean of the channels.
    band_ratios : tuple of float
        Energy of the result's finest Laplacian bands over the original's, the finest first:
        below 1 where detail is missing. Not a number where the original has none.
    """

    psnr_luma: float
    ssim_luma: float
    psnr_rgb: float
    ssim_rgb: float
    band_ratios: tuple[float, ...]


def psnr(original: _Floats, result: _Floats) -> float:
    """Peak signal-to-noise ratio, dB, for a peak of 255.

    Parameters
    ----------
    original, result : float arrays of the same shape
        In grey levels.

    Raises
    ------
    UsageError
        The shapes differ.
    """
    _require_same_shape(original, result)
    error = float(np.mean(np.square(original - result, dtype=np.float64)))
    return 10 * math.log10(_PEAK**2 / error) if error else math.inf


def ssim(original: _Floats, result: _Floats) -> float:
    """Structural similarity of two planes as tables have it.

    Source: Wang et al. 2004: an 11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, averaged
    over the places where the window fits.

    Parameters
    ----------
    original, result : float arrays (H, W)
        In grey levels; at least 11 pixels a side.

    Raises
    ------
    UsageError
        The shapes differ, or are smaller than the window.
    """
    from skimage.metrics import structural_similarity

    _require_same_shape(original, result)
    if min(original.shape) < _SSIM_WINDOW_PX:
        height, width = original.shape
        raise UsageError(f"{width}x{height} pixels; SSIM takes {_SSIM_WINDOW_PX} a side or more")
    return float(
        structural_similarity(  # type: ignore[no-untyped-call]
            original,
            result,
            data_range=_PEAK,
            gaussian_weights=True,
            sigma=_SSIM_SIGMA_PX,
            use_sample_covariance=False,
        )
    )


def compare(
    original: Image, result: Image, *, shave_px: int = 0, grey: bool | None = None
) -> Fidelity:
    """Measure how close a result is to its original, on luma and on RGB.

    Luma is BT.601's in studio range, not rounded. A grey picture's luma is its levels: programs of
    the published tables convert colour pictures only.

    Parameters
    ----------
    original, result : Image
        uint8 (H, W, 3).
    shave_px : int
        Width of the border that PSNR and SSIM leave out: the factor, for super-resolution.
    grey : bool | None
        Whether to compare by levels; None: if the original's three channels are equal.

    Raises
    ------
    UsageError
        The sizes differ, or too little is left for SSIM's window.
    """
    _require_same_shape(original, result)
    by_levels = is_grey(original) if grey is None else grey
    to_luma: Callable[[Image], _Plane] = full_luma if by_levels else studio_luma
    luma = to_luma(original), to_luma(result)
    inside = tuple(slice(shave_px, size - shave_px) for size in original.shape[:2])
    first, second = (plane[inside] for plane in luma)
    colours = original[inside].astype(np.float64), result[inside].astype(np.float64)
    channels = [ssim(colours[0][..., c], colours[1][..., c]) for c in range(3)]
    return Fidelity(
        psnr_luma=psnr(first, second),
        ssim_luma=ssim(first, second),
        psnr_rgb=psnr(*colours),
        ssim_rgb=float(np.mean(channels)),
        band_ratios=_band_ratios(*luma),
    )


def _band_ratios(original: _Plane, result: _Plane) -> tuple[float, ...]:
    energies = [
        laplacian_band_energies(plane.astype(np.float32), levels=BANDS)
        for plane in (original, result)
    ]
    return tuple(
        found / true if true else math.nan for true, found in itertools.zip_longest(*energies)
    )


def _require_same_shape(original: NDArray[Any], result: NDArray[Any]) -> None:
    if original.shape != result.shape:
        raise UsageError(f"a result of shape {result.shape}; the original's is {original.shape}")
