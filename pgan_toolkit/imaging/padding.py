"""Mirror padding that fades: reflected, then blurred, then drawn towards the median colour.

Karras et al. 2018, appendix C: "mirror padding and Gaussian filtering". Only the window that a
crop will read is computed, and the wide blur runs on a reduced picture: what it removes cannot
alias, and the result stays within a grey level of the direct computation.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.arrays import Image
from pgan_toolkit.imaging.resample import Box

__all__ = [
    "MEDIAN_BINS_A_LEVEL",
    "Margins",
    "ReducedBlur",
    "feathered_pad",
    "inward_distance",
    "median_step",
    "plan_reduced_blur",
]

_REDUCED_SIGMA = 5.0  # the blur's sigma after reduction: smooth enough to interpolate
_BLUR_REACH = 4.0  # the kernel ends at 4 sigma, as scipy.ndimage's does
_FEATHER_REACH = 4 / 3  # in units of the padding: where clip(3m + 1, 0, 1) ends
_STRIP_ROWS = 32
_MEDIAN_SAMPLES = 250_000
MEDIAN_BINS_A_LEVEL = 16
"""The median colour is found to this part of a grey level."""

_Float = NDArray[np.float32]


@dataclass(frozen=True)
class Margins:
    """Pixels added at each side."""

    left: int
    top: int
    right: int
    bottom: int


def feathered_pad(image: Image, margins: Margins, *, sigma_px: float, window: Box) -> Image:
    """Pad by reflection and fade the padding out, as the paper's dataset does.

    With m = 1 - min(x/left, y/top, (w-1-x)/right, (h-1-y)/bottom) over the padded picture: first
    img += (blur(img) - img) clip(3m + 1, 0, 1), then img += (median - img) clip(m, 0, 1), the
    median per channel over the whole picture.

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3).
    margins : Margins
        Pixels to add, each at least 1.
    sigma_px : float
        Standard deviation of the blur, pixels.
    window : Box
        The part of the padded picture to return, in its coordinates.

    Returns
    -------
    Image
        uint8 (window.height, window.width, 3).
    """
    padded = cv2.copyMakeBorder(
        image,
        margins.top,
        margins.bottom,
        margins.left,
        margins.right,
        cv2.BORDER_REFLECT_101,
    )
    feather = _Feather(np.asarray(padded, np.uint8), margins, sigma_px)
    return feather.render(window)


class _Feather:
    """The padded picture, its blurred copy and its median, evaluated where they are needed."""

    def __init__(self, padded: Image, margins: Margins, sigma_px: float) -> None:
        self._padded = padded
        height, width = padded.shape[:2]
        self._inward_x = inward_distance(width, margins.left, margins.right)
        self._inward_y = inward_distance(height, margins.top, margins.bottom)
        self._reduced = _reduced_blur(padded, sigma_px)
        self._median = self._median_colour()

    def render(self, window: Box) -> Image:
        """Return the window: the padded picture, blended where the mask has any weight."""
        result = self._padded[window.top : window.bottom, window.left : window.right].copy()
        for top in range(window.top, window.bottom, _STRIP_ROWS):
            rows = np.arange(top, min(top + _STRIP_ROWS, window.bottom))
            for left, right in self._touched(rows, window):
                strip = result[
                    rows[0] - window.top : rows[-1] + 1 - window.top,
                    left - window.left : right - window.left,
                ]
                self._blend(rows, np.arange(left, right), out=strip)
        return result

    def _blend(self, rows: NDArray[np.int64], columns: NDArray[np.int64], *, out: Image) -> None:
        mask = self._mask(rows, columns)
        strip = self._blended(rows, columns, mask)
        strip += (self._median - strip) * np.clip(mask, 0, 1)
        np.rint(strip, out=strip)
        out[...] = np.clip(strip, 0, 255)

    def _touched(self, rows: NDArray[np.int64], window: Box) -> list[tuple[int, int]]:
        """Ranges of columns in which the blur has a weight: at the sides, or all across."""
        inward = self._inward_x[window.left : window.right]
        untouched = np.flatnonzero(inward >= _FEATHER_REACH)
        if self._inward_y[rows].min() < _FEATHER_REACH or len(untouched) == 0:
            return [(window.left, window.right)]
        middle = (window.left + int(untouched[0]), window.left + int(untouched[-1]) + 1)
        sides = [(window.left, middle[0]), (middle[1], window.right)]
        return [(left, right) for left, right in sides if left < right]

    def _mask(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> _Float:
        inward = np.minimum(self._inward_y[rows][:, None], self._inward_x[columns][None])
        return (1 - inward)[:, :, None]

    def _blended(self, rows: NDArray[np.int64], columns: NDArray[np.int64], mask: _Float) -> _Float:
        """The picture drawn towards its blurred copy, at evenly spaced rows and columns."""
        y_step, x_step = _step(rows), _step(columns)
        y_part = slice(int(rows[0]), int(rows[-1]) + 1, y_step)
        x_part = slice(int(columns[0]), int(columns[-1]) + 1, x_step)
        sharp = self._padded[y_part, x_part].astype(np.float32)
        weight = np.clip(3 * mask + 1, 0, 1)
        if not weight.any():
            return sharp
        blurred = self._blurred(rows, columns, y_step, x_step)
        blurred -= sharp
        blurred *= weight
        blurred += sharp
        return blurred

    def _blurred(
        self, rows: NDArray[np.int64], columns: NDArray[np.int64], y_step: int, x_step: int
    ) -> _Float:
        """The blurred copy at the given pixels, interpolated from the reduced one."""
        x_ratio = self._reduced.shape[1] / self._padded.shape[1]
        y_ratio = self._reduced.shape[0] / self._padded.shape[0]
        to_reduced = np.array(
            [
                [x_step * x_ratio, 0, (columns[0] + 0.5) * x_ratio - 0.5],
                [0, y_step * y_ratio, (rows[0] + 0.5) * y_ratio - 0.5],
            ]
        )
        return np.asarray(
            cv2.warpAffine(
                self._reduced,
                to_reduced,
                (len(columns), len(rows)),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            np.float32,
        )

    def _median_colour(self) -> _Float:
        """Median per channel of the blended picture, from a regular grid of its pixels."""
        height, width = self._padded.shape[:2]
        step = median_step(width, height)
        rows, columns = np.arange(0, height, step), np.arange(0, width, step)
        blended = self._blended(rows, columns, self._mask(rows, columns))
        return np.array([_median(blended, channel) for channel in range(3)], np.float32)


def _step(positions: NDArray[np.int64]) -> int:
    return int(positions[1] - positions[0]) if len(positions) > 1 else 1


def median_step(width: int, height: int) -> int:
    """Distance of the pixels of a picture of that size in which its median is looked for."""
    return max(1, int(np.sqrt(height * width / _MEDIAN_SAMPLES)))


def inward_distance(length: int, before: int, after: int) -> _Float:
    """Distance from the nearer end, in units of the padding at that end: float32 (length,)."""
    position = np.arange(length, dtype=np.float32)
    return np.minimum(position / before, (length - 1 - position) / after).astype(np.float32)


@dataclass(frozen=True)
class ReducedBlur:
    """How a wide Gaussian blur is computed on a picture that is reduced first.

    Attributes
    ----------
    width, height : int
        Of the reduced picture, pixels.
    sigmas_px : tuple of float
        What is left to blur in x and y, reduced pixels.
    reaches_px : tuple of int
        How far the kernel goes from its middle in x and y, reduced pixels.
    """

    width: int
    height: int
    sigmas_px: tuple[float, float]
    reaches_px: tuple[int, int]


def plan_reduced_blur(width: int, height: int, *, sigma_px: float) -> ReducedBlur:
    """Choose a reduction as coarse as the blur's smoothness allows.

    Parameters
    ----------
    width, height : int
        Of the picture, pixels.
    sigma_px : float
        Standard deviation of the blur, pixels.
    """
    factor = max(1, int(sigma_px / _REDUCED_SIGMA))
    small_width, small_height = max(1, round(width / factor)), max(1, round(height / factor))
    sigmas = (
        _remaining_sigma(sigma_px, width / small_width),
        _remaining_sigma(sigma_px, height / small_height),
    )
    reaches = (int(_BLUR_REACH * sigmas[0] + 0.5), int(_BLUR_REACH * sigmas[1] + 0.5))
    return ReducedBlur(small_width, small_height, sigmas, reaches)


def _reduced_blur(padded: Image, sigma_px: float) -> _Float:
    """A Gaussian blur of the picture, sampled as coarsely as its smoothness allows."""
    plan = plan_reduced_blur(padded.shape[1], padded.shape[0], sigma_px=sigma_px)
    reduced = cv2.resize(padded, (plan.width, plan.height), interpolation=cv2.INTER_AREA)
    return np.asarray(
        cv2.GaussianBlur(
            reduced.astype(np.float32),
            [2 * reach + 1 for reach in plan.reaches_px],
            sigmaX=plan.sigmas_px[0],
            sigmaY=plan.sigmas_px[1],
            borderType=cv2.BORDER_REFLECT,
        ),
        np.float32,
    )


def _remaining_sigma(sigma_px: float, ratio: float) -> float:
    """What is left to blur, in reduced pixels, after the box mean and before the interpolation."""
    if ratio == 1:
        return sigma_px
    box_variance, interpolation_variance = (ratio**2 - 1) / 12, ratio**2 / 6
    return float(np.sqrt(sigma_px**2 - box_variance - interpolation_variance)) / ratio


def _median(values: _Float, channel: int) -> float:
    half = 0.5 / MEDIAN_BINS_A_LEVEL
    bins = [256 * MEDIAN_BINS_A_LEVEL]
    counts = cv2.calcHist([values], [channel], None, bins, [-half, 256 - half])
    middle = np.searchsorted(np.cumsum(counts), counts.sum() / 2)
    return float(middle) / MEDIAN_BINS_A_LEVEL
