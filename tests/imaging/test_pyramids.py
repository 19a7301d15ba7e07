"""Laplacian bands and levels agree with their definition, computed by SciPy."""

import numpy as np
import pytest
from scipy.ndimage import correlate1d

from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging import laplacian_band_energies, laplacian_steps

_KERNEL = np.array([1, 4, 6, 4, 1]) / 16


def _noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(7).uniform(0, 255, (height, width)).astype(np.float32)


def _blur(plane: np.ndarray) -> np.ndarray:
    rows = correlate1d(plane, _KERNEL, 0, mode="mirror")
    return np.asarray(correlate1d(rows, _KERNEL, 1, mode="mirror"))


def _band(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    coarser = _blur(plane)[::2, ::2]
    spread = np.zeros_like(plane)
    spread[::2, ::2] = coarser
    return plane - 4 * _blur(spread), coarser


def test_energies_are_those_of_the_definition() -> None:
    plane = _noise(32, 48)
    finest, coarser = _band(plane.astype(np.float64))
    second, _ = _band(coarser)
    expected = np.mean(finest**2), np.mean(second**2)
    assert laplacian_band_energies(plane, levels=2) == pytest.approx(expected, rel=1e-4)


def test_odd_sizes_have_bands_too() -> None:
    assert min(laplacian_band_energies(_noise(33, 47), levels=3)) > 0


def test_a_flat_plane_has_no_detail_and_twice_the_contrast_four_times_the_energy() -> None:
    flat = np.full((16, 16), 90, np.float32)
    assert laplacian_band_energies(flat, levels=2) == pytest.approx((0, 0), abs=1e-6)
    plane = _noise(16, 16)
    once = np.array(laplacian_band_energies(plane, levels=2))
    assert laplacian_band_energies(2 * plane, levels=2) == pytest.approx(4 * once)


def test_a_plane_that_is_too_small_is_refused() -> None:
    with pytest.raises(UsageError, match="9x7 pixels; 2 levels of a pyramid take 8 a side"):
        laplacian_band_energies(_noise(7, 9), levels=2)


@pytest.mark.parametrize("layout", [(0, 1, 2), (1, 2, 0), (2, 1, 0)])
def test_steps_are_levels_of_the_definition_to_half_a_step(layout: tuple[int, int, int]) -> None:
    planes = np.random.default_rng(8).integers(0, 256, (3, 32, 48), dtype=np.uint8)
    in_memory = np.ascontiguousarray(planes.transpose(layout))
    out = [np.empty((32 >> level, 48 >> level, 3), np.int16) for level in range(3)]
    laplacian_steps(in_memory.transpose(np.argsort(layout)), steps=128, out=out)
    for channel, plane in enumerate(planes.astype(np.float64)):
        finest, coarser = _band(plane)
        second, coarsest = _band(coarser)
        for found, expected in zip(out, (finest, second, coarsest), strict=True):
            assert found[..., channel] / 128 == pytest.approx(expected, abs=0.501 / 128)
