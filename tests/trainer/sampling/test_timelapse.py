"""The film of saved grids: which, how long, in what size, and under which words."""

from pathlib import Path

import numpy as np
import pytest

from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import encode_png
from reference_trainer.configuration import DataSettings, RunSettings, ScheduleSettings
from reference_trainer.sampling.timelapse import (
    caption_bar,
    find_grids,
    growth_frames,
    held_frames,
)

SETTINGS = RunSettings(
    preset="test",
    data=DataSettings(resolution=16),
    schedule=ScheduleSettings(total_kimg=10, stable_kimg=1, fade_kimg=1),
)


def save(folder: Path, kimg: str, *, side: int, columns: int = 4, rows: int = 2) -> np.ndarray:
    folder.mkdir(exist_ok=True)
    numbers = np.random.default_rng(side)
    page = numbers.integers(0, 256, (rows * side, columns * side, 3), dtype=np.uint8)
    (folder / f"kimg-{kimg}.png").write_bytes(encode_png(page))
    return page


def test_grids_are_in_the_order_of_training(tmp_path: Path) -> None:
    for kimg in ("10", "9.5", "000100", "0"):
        save(tmp_path, kimg, side=4)
    (tmp_path / "reals.png").write_bytes(b"")
    assert [grid.kimg for grid in find_grids(tmp_path)] == [0, 9.5, 10, 100]


def test_too_few_grids_are_told(tmp_path: Path) -> None:
    for expected in (0, 1):
        with pytest.raises(DataError, match=f"{expected} saved grids .* expected 2 or more"):
            find_grids(tmp_path / "fakes")
        save(tmp_path / "fakes", "0", side=4)


@pytest.mark.parametrize(("grids", "frames", "order"), [
    (3, None, [0, 1, 2]), (3, 6, [0, 0, 1, 1, 2, 2]), (2, 5, [0, 0, 0, 1, 1]),
    (9, 3, [0, 4, 8]), (2, 2, [0, 1]), (5, 4, [0, 1, 3, 4]),
])  # fmt: skip
def test_grids_share_the_time(grids: int, frames: int | None, order: list[int]) -> None:
    assert held_frames(grids, frames=frames) == order


def test_early_grids_are_replicated_to_the_size_of_the_last(tmp_path: Path) -> None:
    early, late = save(tmp_path, "0", side=64), save(tmp_path, "50", side=256)
    frames = list(growth_frames(find_grids(tmp_path), [0, 0, 1], settings=SETTINGS))
    bar = caption_bar(" ", width_px=1024).shape[0]
    assert {frame.shape for frame in frames} == {(512 + bar, 1024, 3)}
    assert np.array_equal(frames[0][bar:], early.repeat(4, axis=0).repeat(4, axis=1))
    assert np.array_equal(frames[1], frames[0])
    assert np.array_equal(frames[2][bar:], late)


def test_the_bar_says_the_resolution_of_the_moment(tmp_path: Path) -> None:
    """4x4 for one kimg, then one of fading; all grids saved at the final size."""
    for kimg in ("0.5", "1.5", "9"):
        save(tmp_path, kimg, side=128)
    frames = list(growth_frames(find_grids(tmp_path), [0, 1, 2], settings=SETTINGS))
    for frame, text in zip(
        frames, ("0.5 kimg    4x4", "1.5 kimg    8x8", "9 kimg    16x16"), strict=True
    ):
        bar = caption_bar(text, width_px=512)
        assert np.array_equal(frame[: len(bar)], bar)


def test_small_runs_are_enlarged_and_large_ones_reduced(tmp_path: Path) -> None:
    save(tmp_path / "small", "0", side=4)
    small = save(tmp_path / "small", "1", side=8)
    frames = list(growth_frames(find_grids(tmp_path / "small"), [1], settings=SETTINGS))
    assert frames[0].shape[1] == 512
    assert np.array_equal(frames[0][-256:], small.repeat(16, axis=0).repeat(16, axis=1))
    save(tmp_path / "large", "0", side=4)
    large = save(tmp_path / "large", "1", side=512, columns=8)
    (frame,) = growth_frames(find_grids(tmp_path / "large")[1:], [0], settings=SETTINGS)
    assert frame.shape[1] == 1024
    blocks = large.reshape(256, 4, 1024, 4, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(frame[-256:] - blocks).max() <= 0.5


def test_a_grid_of_another_run_is_told(tmp_path: Path) -> None:
    save(tmp_path, "0", side=12)
    save(tmp_path, "5", side=32)
    with pytest.raises(DataError, match=r"kimg-0\.png: 48x24 pixels.*512x256.*another run"):
        list(growth_frames(find_grids(tmp_path), [0, 1], settings=SETTINGS))
    (tmp_path / "kimg-0.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"kimg-0\.png"):
        list(growth_frames(find_grids(tmp_path), [0, 1], settings=SETTINGS))


@pytest.mark.parametrize("width", [100, 512, 1920])
def test_the_bar_is_as_wide_as_the_film_and_says_something(width: int) -> None:
    bar, blank = (caption_bar(text, width_px=width) for text in ("800 kimg", " "))
    assert bar.shape == blank.shape
    assert bar.shape[1] == width
    assert 30 < bar.shape[0] < 80
    assert (bar < 128).any()
    # no ink at the lower edge: letters are not cut off
    assert (bar[-4:] > 200).all()
    assert not np.array_equal(bar, caption_bar("801 kimg", width_px=width))
