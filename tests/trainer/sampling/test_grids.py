"""Latents by seed, rounding to 8 bits, and the layout of grids."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pgan_toolkit.errors import UsageError
from pgan_toolkit.randomness import generator
from reference_trainer.sampling.grids import (
    fixed_latents,
    grid_picture,
    labels_of_seeds,
    latents_of_seeds,
    parse_grid,
    to_uint8,
)


def test_a_seeds_latents_do_not_depend_on_the_others() -> None:
    together = latents_of_seeds([5, 77, 6], latent_size=512)
    assert together.shape == (3, 512)
    assert together.dtype == torch.float32
    for row, seed in zip(together, [5, 77, 6], strict=True):
        assert torch.equal(row, latents_of_seeds([seed], latent_size=512)[0])
        expected = generator(seed, "latents").standard_normal(512, dtype=np.float32)
        assert np.array_equal(row.numpy(), expected)


def test_latents_of_a_grid_are_those_of_seeds_in_a_row() -> None:
    assert torch.equal(fixed_latents(4, 32, 10), latents_of_seeds(range(10, 14), latent_size=32))


def test_latents_are_standard_normal() -> None:
    values = latents_of_seeds(range(400), latent_size=512).numpy().astype(np.float64)
    count = values.size
    assert abs(values.mean()) < 5 / np.sqrt(count)
    assert abs(values.var() - 1) < 5 * np.sqrt(2 / count)
    across = np.corrcoef(values[:50])
    assert np.abs(across - np.eye(50)).max() < 6 / np.sqrt(512)


def test_classes_take_turns() -> None:
    assert labels_of_seeds([0, 1, 2, 12], label_count=3).tolist() == [0, 1, 2, 0]
    assert labels_of_seeds([0, 1], label_count=0) is None


def test_rounding_is_to_the_nearest_and_clipped() -> None:
    values = torch.tensor([-9.0, -1.0, -0.5, 0.0, 0.25, 1.0, 1.004, 9.0, 0.5 / 127.5])
    got = to_uint8(values.reshape(1, 1, 1, -1))
    expected = np.rint(np.clip(values.numpy() * np.float32(127.5) + np.float32(127.5), 0, 255))
    assert got.shape == (1, 3, 1, 9)
    assert got[0, 0, 0].tolist() == expected.astype(int).tolist()
    assert got[0, 0, 0].tolist()[:6] == [0, 0, 64, 128, 159, 255]
    assert torch.equal(got[:, 0], got[:, 2])


def test_every_level_survives_the_way_to_a_network_and_back() -> None:
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).expand(1, 3, 16, 16)
    assert torch.equal(to_uint8(levels / 127.5 - 1), levels)


@given(columns=st.integers(1, 5), rows=st.integers(1, 4))
def test_cells_lie_row_by_row(columns: int, rows: int) -> None:
    count = columns * rows
    images = torch.arange(count, dtype=torch.uint8).reshape(count, 1, 1, 1).repeat(1, 3, 2, 3)
    images[:, 1] += 100
    page = grid_picture(images, columns, rows)
    assert page.shape == (2 * rows, 3 * columns, 3)
    assert page.flags.c_contiguous
    for index in range(count):
        row, column = divmod(index, columns)
        cell = page[2 * row : 2 * row + 2, 3 * column : 3 * column + 3]
        assert (cell == [index, index + 100, index]).all()


def test_the_number_of_cells_must_fit() -> None:
    with pytest.raises(UsageError, match="5 pictures for a grid of 3x2: expected 6"):
        grid_picture(torch.zeros(5, 3, 4, 4, dtype=torch.uint8), 3, 2)


def test_grids_are_columns_by_rows() -> None:
    assert parse_grid("8x4") == (8, 4)
    assert parse_grid("1x1") == (1, 1)


@pytest.mark.parametrize("text", ["", "8", "8x", "x4", "0x4", "8x0", "-8x4", "8X4", "8x4x2", "8 4"])
def test_bad_grids_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected columns and rows, such as 8x4"):
        parse_grid(text)


def test_giant_grids_are_refused() -> None:
    with pytest.raises(UsageError, match="1,000,000 pictures; expected 10,000 at most"):
        parse_grid("1000x1000")
