"""Tiles cover what is wanted once, and are shown what their pixels depend on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgan_toolkit.imaging import Box
from pgan_toolkit.restoration.tiling import batched_tiles, grown_box, plan_tiles


@st.composite
def _requests(draw: st.DrawFn) -> tuple[Box, Box, list[int], int, int]:
    width, height = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    region = Box(left, top, draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height)))
    reaches = draw(st.lists(st.integers(0, 20), max_size=3))
    return (
        region,
        Box(0, 0, width, height),
        reaches,
        draw(st.integers(1, 4)),
        draw(st.integers(1, 40)),
    )


@given(_requests())
def test_every_wanted_pixel_is_kept_by_one_tile(
    request: tuple[Box, Box, list[int], int, int],
) -> None:
    region, whole, reaches, alignment, tile_px = request
    count = np.zeros((whole.height, whole.width), int)
    for tile in plan_tiles(
        region, whole=whole, reaches_px=reaches, alignment_px=alignment, tile_px=tile_px
    ):
        box = tile.kept
        assert 0 < box.width <= tile_px
        assert 0 < box.height <= tile_px
        count[box.top : box.bottom, box.left : box.right] += 1
    wanted = np.zeros_like(count)
    wanted[region.top : region.bottom, region.left : region.right] = 1
    assert np.array_equal(count, wanted)


@given(_requests())
def test_every_step_is_shown_its_reach_from_an_aligned_corner(
    request: tuple[Box, Box, list[int], int, int],
) -> None:
    region, whole, reaches, alignment, tile_px = request
    for tile in plan_tiles(
        region, whole=whole, reaches_px=reaches, alignment_px=alignment, tile_px=tile_px
    ):
        boxes = (*tile.seen, tile.kept)
        assert len(tile.seen) == len(reaches)
        for reach, outer, inner in zip(reaches, boxes, boxes[1:], strict=False):
            assert outer.left % alignment == outer.top % alignment == 0
            assert outer.left <= max(inner.left - reach, 0) < outer.left + alignment
            assert outer.top <= max(inner.top - reach, 0) < outer.top + alignment
            assert outer.right == min(inner.right + reach, whole.right)
            assert outer.bottom == min(inner.bottom + reach, whole.bottom)


@given(_requests(), st.integers(1, 5))
def test_batches_hold_every_tile_once_and_only_tiles_of_one_layout(
    request: tuple[Box, Box, list[int], int, int], size: int
) -> None:
    region, whole, reaches, alignment, tile_px = request
    tiles = plan_tiles(
        region, whole=whole, reaches_px=reaches, alignment_px=alignment, tile_px=tile_px
    )
    batches = list(batched_tiles(tiles, size=size))
    assert sorted(tile for batch in batches for tile in (t.kept for t in batch)) == sorted(
        tile.kept for tile in tiles
    )
    for batch in batches:
        assert 1 <= len(batch) <= size
        shapes = {tuple((box.width, box.height) for box in (*t.seen, t.kept)) for t in batch}
        assert len(shapes) == 1


def test_the_inner_tiles_of_a_large_picture_make_full_batches() -> None:
    whole = Box(0, 0, 1000, 100)
    tiles = plan_tiles(whole, whole=whole, reaches_px=[5], alignment_px=2, tile_px=100)
    assert [len(batch) for batch in batched_tiles(tiles, size=4)].count(4) == 2


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Box(50, 60, 70, 80), Box(40, 50, 80, 90)),
        (Box(51, 61, 71, 81), Box(40, 50, 81, 91)),  # begins at 2 n from the picture's corner
        (Box(12, 22, 98, 118), Box(10, 20, 100, 120)),
    ],
)
def test_a_box_grows_to_the_edges_and_to_a_multiple_from_the_pictures_corner(
    part: Box, expected: Box
) -> None:
    within = Box(10, 20, 100, 120)
    assert grown_box(part, 10, within=within, alignment_px=2) == expected
