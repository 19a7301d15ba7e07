"""Where frequencies lie: against plain formulas on whole arrays, and in how little memory."""

import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import scipy.fft

from pgan_toolkit.imaging import RING_COUNT, SECTOR_COUNT, polar, spectra
from pgan_toolkit.imaging.polar import polar_layout

SIZES = [(64, 64), (65, 64), (64, 65), (67, 65), (900, 1201), (301, 2000)]


def _plainly(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ring, cell and weight of every frequency, each as one array of the half spectrum."""
    fy, fx = np.meshgrid(scipy.fft.fftfreq(height), scipy.fft.rfftfreq(width), indexing="ij")
    octave = np.log2(np.maximum(np.hypot(fx, fy), 2.0**-40))
    ring = np.digitize(octave, np.linspace(-5, -1, 17)).ravel()
    sector = np.floor(np.arctan2(fy, fx) / np.pi * 8 + 0.5).astype(int).ravel() % 8
    return ring, ring * 8 + sector, np.where((fx == 0) | (fx == 0.5), 1.0, 2.0).ravel()


@pytest.mark.parametrize("size", SIZES)
def test_every_frequency_is_where_plain_formulas_put_it(size: tuple[int, int]) -> None:
    layout, (ring, cell, weight) = polar_layout(*size), _plainly(*size)
    assert np.array_equal(layout.ring, ring)
    assert np.array_equal(layout.cell, cell)
    assert np.array_equal(layout.weight, weight)
    assert np.array_equal(layout.ring_weight, np.bincount(ring, weight, RING_COUNT + 2))
    cells = (RING_COUNT + 2) * SECTOR_COUNT
    assert np.array_equal(layout.cell_weight, np.bincount(cell, weight, cells))


@pytest.mark.parametrize("size", SIZES)
def test_sums_are_those_of_whole_arrays_to_the_last_bit(size: tuple[int, int]) -> None:
    layout, (ring, cell, weight) = polar_layout(*size), _plainly(*size)
    values = np.random.default_rng(0).lognormal(0, 5, layout.cells.shape).astype(np.float32)
    weighted = weight * values.ravel()
    assert np.array_equal(layout.ring_sums(values), np.bincount(ring, weighted, RING_COUNT + 2))
    cells = (RING_COUNT + 2) * SECTOR_COUNT
    assert np.array_equal(layout.cell_sums(values), np.bincount(cell, weighted, cells))


@pytest.fixture
def kept_bytes() -> Iterator[Callable[[], int]]:
    """A function that says what has been allocated since, and is still held."""
    for cached in (polar._kept_layout, polar._last_layout, spectra._kept_window):
        cached.cache_clear()
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()


def _measure(heights: range, width: int) -> None:
    for height in heights:
        plane = np.random.default_rng(height).normal(128, 9, (height, width)).astype(np.float32)
        power, _ = spectra.power_spectrum(plane)
        spectra.ring_spectrum(power, width=width)


def test_of_the_last_sizes_few_bytes_a_pixel_are_kept(kept_bytes: Callable[[], int]) -> None:
    _measure(range(500, 504), 600)
    pixels = 4 * 500 * 600
    assert kept_bytes() < 5.5 * pixels  # a window takes 4, a layout a half


def test_of_large_pictures_one_layout_is_kept_and_no_window(
    kept_bytes: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (polar, spectra):
        monkeypatch.setattr(module, "_MOST_KEPT_BYTES", 100_000)
    _measure(range(500, 504), 600)
    assert kept_bytes() < 1.5 * 500 * 600
    assert polar_layout(503, 600) is polar_layout(503, 600)
