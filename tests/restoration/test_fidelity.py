"""PSNR and SSIM agree with scikit-image and with their formulas; detail is a ratio of energies."""

import math

import numpy as np
import pytest
import skimage.metrics
from scipy.ndimage import correlate1d

from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging import grey_to_rgb, lanczos_resize, studio_luma
from pgan_toolkit.restoration.fidelity import compare, psnr, ssim


def _planes() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    first = random.uniform(0, 255, (40, 50))
    return first, np.clip(first + random.normal(0, 20, first.shape), 0, 255)


def _picture(seed: int, height: int = 45, width: int = 66) -> np.ndarray:
    """Smooth blobs of colour."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return lanczos_resize(small, width=width, height=height)


def test_one_level_off_everywhere_is_48_dB() -> None:  # noqa: N802 - the unit's name
    first, _ = _planes()
    assert psnr(first, first + 1) == pytest.approx(48.1308036)
    assert psnr(first, first) == math.inf


def test_psnr_is_that_of_scikit_image() -> None:
    first, second = _planes()
    theirs = skimage.metrics.peak_signal_noise_ratio(  # type: ignore[no-untyped-call]
        first, second, data_range=255
    )
    assert psnr(first, second) == pytest.approx(theirs)


def test_ssim_is_its_formula_over_whole_windows() -> None:
    first, second = _planes()
    window = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window /= window.sum()

    def mean(plane: np.ndarray) -> np.ndarray:
        return np.asarray(correlate1d(correlate1d(plane, window, 0), window, 1))[5:-5, 5:-5]

    m1, m2 = mean(first), mean(second)
    v1, v2 = mean(first**2) - m1**2, mean(second**2) - m2**2
    covariance = mean(first * second) - m1 * m2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    upper = (2 * m1 * m2 + c1) * (2 * covariance + c2)
    expected = np.mean(upper / ((m1**2 + m2**2 + c1) * (v1 + v2 + c2)))
    assert ssim(first, second) == pytest.approx(expected, abs=1e-10)
    assert ssim(first, first) == pytest.approx(1)
    assert ssim(first, second) == pytest.approx(ssim(second, first))


def test_planes_that_cannot_be_compared_are_refused() -> None:
    first, second = _planes()
    for measure in (psnr, ssim):
        with pytest.raises(UsageError, match=r"shape \(39, 50\); the original's is \(40, 50\)"):
            measure(first, second[1:])
    with pytest.raises(UsageError, match="50x10 pixels; SSIM takes 11 a side"):
        ssim(first[:10], second[:10])


def test_the_shaved_border_does_not_count() -> None:
    image = _picture(1)
    other = image.copy()
    other[:4], other[-4:], other[:, :4], other[:, -4:] = 0, 0, 0, 0
    assert compare(image, other).psnr_rgb < 30
    inside = compare(image, other, shave_px=4)
    assert (inside.psnr_luma, inside.psnr_rgb) == (math.inf, math.inf)
    assert inside.ssim_luma == pytest.approx(1)


def test_a_grey_original_is_compared_by_its_levels_and_a_coloured_one_in_studio_range() -> None:
    image, grey = _picture(1), grey_to_rgb(_picture(1)[..., 0])
    brighter = grey // 2 + 3
    expected = psnr(grey[..., 0].astype(float), brighter[..., 0].astype(float))
    assert compare(grey, brighter).psnr_luma == pytest.approx(expected)
    assert compare(grey, brighter).psnr_rgb == pytest.approx(expected)
    expected = psnr(studio_luma(image), studio_luma(brighter))
    assert compare(image, brighter).psnr_luma == pytest.approx(expected)


def test_detail_is_1_where_nothing_is_lost_and_less_where_it_is_blurred() -> None:
    random = np.random.default_rng(1)
    image = random.integers(0, 256, (64, 64, 3), np.uint8)
    small = lanczos_resize(image, width=16, height=16)
    blurred = lanczos_resize(small, width=64, height=64)
    assert compare(image, image).band_ratios == (1, 1)
    finest, second = compare(image, blurred).band_ratios
    assert 0 < finest < second < 0.5
    flat = np.full_like(image, 9)
    assert np.isnan(compare(flat, flat).band_ratios).all()
