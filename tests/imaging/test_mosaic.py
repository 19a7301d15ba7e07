import numpy as np
import pytest

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging.mosaic import GREEN, RED, Section, Tile, contact_sheet, shrink_to_fit


def plain(height: int, width: int, colour: tuple[int, int, int]) -> Image:
    return np.full((height, width, 3), colour, np.uint8)


def count(sheet: Image, colour: tuple[int, int, int]) -> int:
    return int((sheet == np.array(colour, np.uint8)).all(axis=2).sum())


def test_a_picture_of_the_tile_size_appears_unchanged_at_the_margin() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    sheet = contact_sheet([Section([Tile(picture)])], columns=2, tile_px=64)
    assert sheet.shape == (64 + 2 * 12, 2 * 64 + 8 + 2 * 12, 3)
    assert np.array_equal(sheet[12:76, 12:76], picture)
    assert (sheet[:, 76:] == 255).all()


def test_small_pictures_are_enlarged_by_a_whole_factor_with_hard_pixels() -> None:
    sheet = contact_sheet([Section([Tile(plain(10, 20, (10, 20, 30)))])], columns=1, tile_px=64)
    assert count(sheet, (10, 20, 30)) == 30 * 60


def test_large_pictures_keep_their_shape() -> None:
    sheet = contact_sheet([Section([Tile(plain(200, 400, (10, 20, 30)))])], columns=1, tile_px=64)
    assert count(sheet, (10, 20, 30)) == 32 * 64


def test_rows_wrap_and_captions_take_room() -> None:
    tiles = [Tile(plain(32, 32, (1, 2, 3)), f"{index}") for index in range(5)]
    without = contact_sheet([Section([Tile(tile.image) for tile in tiles])], columns=2, tile_px=32)
    with_captions = contact_sheet([Section(tiles)], columns=2, tile_px=32)
    assert count(without, (1, 2, 3)) == 5 * 32 * 32
    assert without.shape[0] == 3 * 32 + 2 * 8 + 2 * 12
    assert with_captions.shape[0] >= without.shape[0] + 3 * 11


def test_frames_and_missing_pictures_are_drawn() -> None:
    sheet = contact_sheet(
        [Section([Tile(plain(8, 8, (0, 0, 0)), border=GREEN), Tile(None)])], columns=2, tile_px=64
    )
    assert count(sheet, GREEN) == 64 * 64 - 56 * 56
    assert count(sheet, RED) > 100


def test_a_heading_adds_height_and_empty_sections_add_none() -> None:
    tiles = [Tile(plain(32, 32, (1, 2, 3)))]
    bare = contact_sheet([Section(tiles)], columns=1, tile_px=32)
    titled = contact_sheet([Section(tiles, "Kept"), Section([], "Failed")], columns=1, tile_px=32)
    assert titled.shape[0] > bare.shape[0]
    assert titled.shape[0] < bare.shape[0] + 40


def test_a_long_caption_stays_inside_its_tile() -> None:
    tiles = [Tile(plain(32, 32, (0, 0, 0)), "a/very/long/folder/name/000001"), Tile(None)]
    sheet = contact_sheet([Section(tiles)], columns=2, tile_px=48)
    below = sheet[12 + 48 + 2 :]
    assert (below[:, 12 + 48 : 12 + 48 + 8] == 255).all()
    assert (below[:, 12 : 12 + 48] < 128).any()


def test_sheets_are_deterministic() -> None:
    section = Section([Tile(plain(9, 9, (5, 5, 5)), "key")], "Title")
    assert np.array_equal(contact_sheet([section]), contact_sheet([section]))


@pytest.mark.parametrize(("columns", "tile_px"), [(0, 64), (1, 15)])
def test_silly_sizes_are_refused(columns: int, tile_px: int) -> None:
    with pytest.raises(UsageError, match="at least 1 column"):
        contact_sheet([Section([Tile(None)])], columns=columns, tile_px=tile_px)


def test_no_tiles_are_refused() -> None:
    with pytest.raises(UsageError, match="no pictures"):
        contact_sheet([Section([])])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((100, 50), (40, 20)), ((50, 100), (20, 40)), ((40, 40), (40, 40)), ((1, 4000), (1, 40))],
)
def test_shrink_to_fit(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    small = shrink_to_fit(plain(*shape, (7, 8, 9)), size_px=40)
    assert small.shape[:2] == expected
    assert (small == (7, 8, 9)).all()
