import numpy as np
import pytest

from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging.histogram import draw_modes

RED = (192, 57, 43)


def _red_cells(image: np.ndarray) -> int:
    return int((image == RED).all(axis=2).sum()) // 34**2  # a few pixels of each are its number


def test_each_mode_has_a_cell_and_empty_ones_are_red() -> None:
    full = draw_modes(np.full(1000, 25), title=["a set"])
    assert full.dtype == np.uint8
    assert full.shape[2] == 3
    assert _red_cells(full) == 0
    empty = np.full(1000, 25)
    empty[:600] = 0
    assert 500 < _red_cells(draw_modes(empty)) <= 600


def test_a_mode_is_where_its_digits_say() -> None:
    """Changing one mode changes one cell: by blue the panel, by green the row, by red the column"""
    base = np.full(1000, 10)
    pages = {}
    for mode in (0, 1, 10, 100, 500):
        counts = base.copy()
        counts[mode] = 9
        changed = (draw_modes(counts)[90:] != draw_modes(base)[90:]).any(axis=2)
        rows, columns = np.nonzero(changed)
        assert np.ptp(rows) < 34
        assert np.ptp(columns) < 34
        pages[mode] = rows.min(), columns.min()
    top, left = pages[0]
    for mode, (down, right) in {1: (0, 35), 10: (35, 0), 100: (0, 390), 500: (412, 0)}.items():
        assert abs(pages[mode][0] - top - down) < 3
        assert abs(pages[mode][1] - left - right) < 3


def test_fuller_cells_are_darker() -> None:
    counts = np.arange(1, 1001)
    page = draw_modes(counts).astype(int).sum(axis=2)
    assert page[-40:, -40:].mean() < page[110:150, 40:80].mean()


def test_large_numbers_fit_their_cells() -> None:
    counts = np.full(1000, 10)
    counts[7] = 45_678_901
    assert draw_modes(counts).shape == draw_modes(np.full(1000, 10)).shape


@pytest.mark.parametrize("counts", [[0] * 1000, [-1, 5] + [0] * 998])
def test_a_histogram_of_nothing_is_refused(counts: list[int]) -> None:
    with pytest.raises(UsageError, match="no images"):
        draw_modes(np.array(counts))
