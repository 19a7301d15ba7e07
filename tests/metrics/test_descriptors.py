"""Levels, patch positions, and what is cut out at them."""

import numpy as np
import pytest
import torch

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics import descriptors
from pgan_toolkit.metrics.descriptors import (
    STEPS_PER_GREY_LEVEL,
    Side,
    SwdSettings,
    cut_descriptors,
    patch_positions,
    swd_levels,
)
from pgan_toolkit.metrics.pyramid import laplacian_pyramid

SETTINGS = SwdSettings(patches=10)


@pytest.mark.parametrize(
    ("height", "width", "heights"),
    [
        (1024, 1024, [1024, 512, 256, 128, 64, 32, 16]),
        (128, 128, [128, 64, 32, 16]),
        (16, 16, [16]),
        (31, 9, [31]),
        (48, 80, [48, 24]),
    ],
)
def test_levels_halve_down_to_sixteen(height: int, width: int, heights: list[int]) -> None:
    levels = swd_levels(height, width)
    assert [level[0] for level in levels] == heights
    assert all(level[0] * width == level[1] * height for level in levels)


@pytest.mark.parametrize(
    ("height", "width", "message"),
    [
        (15, 64, r"64x15 pixels \(width x height\): the SWD takes heights of 16 or more"),
        (109, 89, r"89x109 pixels .* to 88x108 for example \(both sides multiples of 4\)"),
        (64, 20, r"20x64 pixels .* holds 7x7 patches.* to 28x64 for example"),
    ],
)
def test_sizes_that_do_not_halve_are_refused_with_one_that_does(
    height: int, width: int, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        swd_levels(height, width)


def test_the_size_that_is_proposed_is_taken() -> None:
    assert len(swd_levels(108, 88)) == 3
    assert len(swd_levels(64, 28)) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patches": 0}, "patches=0: expected 1 or more"),
        ({"smallest_level": 6}, "smallest_level=6: expected 7 or more"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SwdSettings(**change)


def test_positions_depend_on_the_image_alone() -> None:
    whole = patch_positions(range(200), side="real", level=(16, 32), settings=SETTINGS)
    some = patch_positions(range(50, 131), side="real", level=(16, 32), settings=SETTINGS)
    assert np.array_equal(whole[50:131], some)
    assert not np.array_equal(whole[0], whole[1])


def test_sides_levels_and_seeds_have_positions_of_their_own() -> None:
    different: list[tuple[Side, tuple[int, int], int]] = [
        ("real", (32, 32), 0),
        ("fake", (32, 32), 0),
        ("real", (16, 16), 0),
        ("real", (32, 32), 1),
    ]
    drawn = [
        patch_positions(range(2), side=side, level=level, settings=SwdSettings(seed=seed)).tolist()
        for side, level, seed in different
    ]
    assert all(a != b for n, a in enumerate(drawn) for b in drawn[:n])


def test_positions_are_uniform_over_all_places_where_a_patch_fits() -> None:
    found = patch_positions(range(640), side="real", level=(16, 9), settings=SwdSettings())
    for axis, places in ((0, 10), (1, 3)):
        counts = np.bincount(found[..., axis].ravel(), minlength=places)
        assert len(counts) == places
        expected = found[..., axis].size / places
        assert ((counts - expected) ** 2 / expected).sum() < 30


def test_patches_are_windows_of_the_levels() -> None:
    images = torch.randint(0, 256, (3, 3, 32, 48), dtype=torch.uint8)
    cut = cut_descriptors(images, range(70, 73), side="fake", settings=SETTINGS)
    planes = list(laplacian_pyramid(images, levels=2))
    for found, plane in zip(cut, planes, strict=True):
        level = (plane.shape[2], plane.shape[3])
        places = patch_positions(range(70, 73), side="fake", level=level, settings=SETTINGS)
        assert found.shape == (3, 10, 147)
        for image, patch in ((0, 0), (1, 4), (2, 9)):
            row, column = places[image, patch]
            window = plane[image, :, row : row + 7, column : column + 7].permute(1, 2, 0)
            steps = found[image, patch] / STEPS_PER_GREY_LEVEL
            expected = window.reshape(-1).numpy()
            assert steps == pytest.approx(expected, abs=0.5001 / STEPS_PER_GREY_LEVEL)


def test_what_a_gpu_cuts_is_what_a_cpu_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.randint(0, 256, (4, 3, 128, 64), dtype=torch.uint8)
    here = cut_descriptors(images, range(4), side="real", settings=SwdSettings())
    monkeypatch.setattr(descriptors, "_on_cpu", descriptors._on_gpu)
    there = cut_descriptors(images, range(4), side="real", settings=SwdSettings())
    assert np.array_equal(here[0], there[0])  # whose sums are exact in float32
    for level, other in zip(here[1:], there[1:], strict=True):
        difference = np.abs(level - other)
        assert difference.max() <= 1
        assert difference.mean() < 0.01


def test_the_steepest_images_stay_within_the_integers() -> None:
    checks = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * 255
    dot = torch.zeros(32, 32)
    dot[8:10, 8:10] = 255
    images = torch.stack([checks, 255 - checks, dot]).byte()[:, None].expand(3, 3, 32, 32)
    for level, plane in enumerate(laplacian_pyramid(images, levels=2)):
        assert float(plane.abs().max()) <= 255, level
    white = torch.full((1, 3, 32, 32), 255, dtype=torch.uint8)
    lowest = cut_descriptors(white, range(1), side="real", settings=SETTINGS)[-1]
    assert (lowest == 255 * STEPS_PER_GREY_LEVEL).all()


def test_how_images_lie_in_memory_changes_nothing() -> None:
    random = np.random.default_rng(0)
    images = torch.from_numpy(random.integers(0, 256, (5, 3, 64, 32), dtype=np.uint8))
    settings = SwdSettings(patches=16)
    expected = cut_descriptors(images, range(5), side="real", settings=settings)
    channels_last = images.to(memory_format=torch.channels_last)
    rows_last = images.transpose(2, 3).contiguous().transpose(2, 3)
    part = torch.cat([images, images])[5:]
    for other in (channels_last, rows_last, part):
        found = cut_descriptors(other, range(5), side="real", settings=settings)
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
