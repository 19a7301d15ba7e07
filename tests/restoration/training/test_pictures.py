from pathlib import Path

import numpy as np
import pytest

from pgan_toolkit.imaging import encode_png
from pgan_toolkit.restoration.training import SuperresDegradation
from pgan_toolkit.restoration.training.loading import minibatches
from pgan_toolkit.restoration.training.pictures import CropPairs
from pgan_toolkit.storage import StoredSource, open_source

UNCHANGED = SuperresDegradation(scale=1, real_share=0)
"""Hands the clean crop on."""


def _source(folder: Path, *sizes: tuple[int, int]) -> StoredSource:
    """Pictures that are told apart by the blue channel, with a ramp in the others."""
    folder.mkdir(parents=True)
    for number, (height, width) in enumerate(sizes):
        y, x = np.mgrid[:height, :width]
        image = np.stack([y % 256, x % 256, np.full_like(y, number)], axis=2).astype(np.uint8)
        (folder / f"{number}.png").write_bytes(encode_png(image))
    return open_source(folder)


def test_a_pair_depends_on_seed_purpose_and_number_alone(tmp_path: Path) -> None:
    source = _source(tmp_path / "a", (80, 70), (64, 90))
    first = CropPairs(source, UNCHANGED, crop_px=32, seed=1)
    again = CropPairs(open_source(tmp_path / "a"), UNCHANGED, crop_px=32, seed=1)
    for number in (5, 0, 3):
        assert np.array_equal(first.pair(number).target, again.pair(number).target)
    other = CropPairs(source, UNCHANGED, crop_px=32, seed=1, purpose="samples")
    assert not np.array_equal(first.pair(5).target, other.pair(5).target)


def test_crops_are_flipped_and_turned_all_eight_ways(tmp_path: Path) -> None:
    crops = CropPairs(_source(tmp_path / "a", (40, 40)), UNCHANGED, crop_px=32, seed=0)
    ways = set()
    for number in range(200):
        crop = crops.pair(number).target.astype(int)
        down, right = crop[-1, 0] - crop[0, 0], crop[0, -1] - crop[0, 0]
        ways.add((*np.sign(down[:2]), *np.sign(right[:2])))
    assert len(ways) == 8


def test_pictures_are_drawn_by_the_root_of_their_area(tmp_path: Path) -> None:
    crops = CropPairs(_source(tmp_path / "a", (40, 40), (120, 120)), UNCHANGED, crop_px=32, seed=0)
    large = sum(int(crops.pair(number).target[0, 0, 2]) for number in range(600))
    assert 405 <= large <= 495  # three in four


def test_a_picture_smaller_than_a_crop_is_continued_by_its_mirror_image(tmp_path: Path) -> None:
    crops = CropPairs(_source(tmp_path / "a", (20, 24)), UNCHANGED, crop_px=32, seed=0)
    crop = crops.pair(0).target
    assert crop.shape == (32, 32, 3)
    assert crop[..., 0].max() == 19
    assert crop[..., 1].max() == 23


def test_half_of_the_crops_show_the_picture_reduced(tmp_path: Path) -> None:
    crops = CropPairs(_source(tmp_path / "a", (200, 200)), UNCHANGED, crop_px=32, seed=0)
    spans = [int(np.ptp(crops.pair(number).target[..., :2])) for number in range(300)]
    extents = [int(np.ptp(crops.pair(number).target[..., 0])) for number in range(300)]
    reduced = sum(extent > 33 for extent in extents)
    assert 110 <= reduced <= 190
    assert max(extents) <= 66
    assert min(spans) >= 29


def test_minibatches_come_in_order_and_from_any_step_on(tmp_path: Path) -> None:
    crops = CropPairs(_source(tmp_path / "a", (80, 70)), UNCHANGED, crop_px=16, seed=0)
    whole = list(minibatches(crops, size=3, first=0, last=7))
    rest = list(minibatches(crops, size=3, first=5, last=7))
    assert len(whole) == 7
    assert [tuple(batch.given.shape) for batch in whole] == [(3, 3, 16, 16)] * 7
    for one, other in zip(whole[5:], rest, strict=True):
        assert one.given.equal(other.given)
    expected = crops.pair(3 * 5 + 1).given.transpose(2, 0, 1)
    assert np.array_equal(whole[5].given[1].numpy(), expected)


def test_an_unreadable_picture_is_named(tmp_path: Path) -> None:
    from pgan_toolkit.errors import DataError

    _source(tmp_path / "a", (80, 70))
    (tmp_path / "a" / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"bad\.png"):
        CropPairs(open_source(tmp_path / "a"), UNCHANGED, crop_px=16, seed=0)
