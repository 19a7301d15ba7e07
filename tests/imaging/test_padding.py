"""Feathered padding against the direct computation with SciPy in floating point."""

import numpy as np
import pytest
import scipy.ndimage
import skimage.data

from pgan_toolkit.arrays import Image
from pgan_toolkit.imaging import Box, Margins, feathered_pad, lanczos_resize


def _portrait(height: int, width: int) -> Image:
    return lanczos_resize(skimage.data.astronaut(), width=width, height=height)


def _direct(image: Image, margins: Margins, sigma_px: float) -> Image:
    """FACTS of the padding, whole and in float64."""
    sides = ((margins.top, margins.bottom), (margins.left, margins.right), (0, 0))
    padded = np.pad(image.astype(np.float64), sides, "reflect")
    height, width = padded.shape[:2]
    y, x, _ = np.ogrid[:height, :width, :1]
    inward_x = np.minimum(x / margins.left, (width - 1 - x) / margins.right)
    inward_y = np.minimum(y / margins.top, (height - 1 - y) / margins.bottom)
    mask = 1 - np.minimum(inward_x, inward_y)
    blurred = scipy.ndimage.gaussian_filter(padded, [sigma_px, sigma_px, 0])
    padded += (blurred - padded) * np.clip(3 * mask + 1, 0, 1)
    padded += (np.median(padded, axis=(0, 1)) - padded) * np.clip(mask, 0, 1)
    return np.clip(np.rint(padded), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("size", "margins", "sigma_px"),
    [
        ((300, 400), Margins(80, 120, 90, 100), 20.0),
        ((300, 400), Margins(80, 120, 90, 100), 4.0),
        ((240, 210), Margins(200, 90, 330, 100), 33.3),  # reflected more than once
        ((1200, 900), Margins(300, 280, 260, 300), 41.0),  # large enough to sample the median
    ],
)
def test_within_a_grey_level_of_the_direct_computation(
    size: tuple[int, int], margins: Margins, sigma_px: float
) -> None:
    image = _portrait(*size)
    expected = _direct(image, margins, sigma_px)
    whole = Box(0, 0, expected.shape[1], expected.shape[0])
    ours = feathered_pad(image, margins, sigma_px=sigma_px, window=whole)
    difference = np.abs(ours.astype(int) - expected)
    assert difference.max() <= 3
    assert (difference > 1).mean() < 0.01


def test_a_window_has_the_pixels_of_the_whole() -> None:
    image, margins = _portrait(200, 240), Margins(60, 70, 80, 90)
    whole = feathered_pad(image, margins, sigma_px=15, window=Box(0, 0, 380, 360))
    window = feathered_pad(image, margins, sigma_px=15, window=Box(37, 41, 301, 299))
    difference = np.abs(window.astype(int) - whole[41:299, 37:301])
    assert difference.max() <= 1


def test_the_middle_is_left_alone_and_the_rim_is_the_median() -> None:
    image, margins = _portrait(300, 300), Margins(50, 50, 50, 50)
    padded = feathered_pad(image, margins, sigma_px=10, window=Box(0, 0, 400, 400))
    assert np.array_equal(padded[70:330, 70:330], image[20:280, 20:280])
    rim = np.concatenate([padded[0], padded[-1], padded[:, 0], padded[:, -1]])
    assert (rim == rim[0]).all()


def test_one_colour_stays_one_colour() -> None:
    image = np.full((50, 60, 3), (10, 200, 77), np.uint8)
    padded = feathered_pad(image, Margins(20, 20, 20, 20), sigma_px=7, window=Box(0, 0, 100, 90))
    assert (padded == (10, 200, 77)).all()
