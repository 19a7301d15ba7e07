"""How training progressed: a film of the grids that a run saved on its way."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import Section, Tile, box_downscale, contact_sheet, decode_image
from pgan_toolkit.storage import read_file
from reference_trainer.configuration import RunSettings
from reference_trainer.schedule import phase_at

__all__ = ["SavedGrid", "caption_bar", "find_grids", "growth_frames", "held_frames"]

_GRID_FILE = re.compile(r"kimg-([0-9]+(?:\.[0-9]+)?)\.png")
_MOST_PX = 1920
"""Longest side of a film's pictures: many players refuse what is much larger."""
_LEAST_PX = 512
_MARK = np.array((255, 0, 255), np.uint8)
_MARK_PX = 180  # a sheet's letters are at their largest from here on


class SavedGrid(NamedTuple):
    """One saved grid: thousands of reals shown until then, and its file."""

    kimg: float
    path: Path


def find_grids(folder: Path) -> list[SavedGrid]:
    """Find the grids `kimg-*.png` in a folder, from first to last.

    Raises
    ------
    DataError
        There are fewer than two.
    """
    found = sorted(
        SavedGrid(float(match[1]), path)
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (match := _GRID_FILE.fullmatch(path.name))
    )
    if len(found) < 2:
        raise DataError(
            f"{folder}: {len(found)} saved grids of pictures (kimg-*.png); expected 2 or more: let "
            "the run go on, or name its folder"
        )
    return found


def held_frames(grids: int, *, frames: int | None) -> list[int]:
    """Return which grid each frame shows: each once, or each about as long as the others.

    Parameters
    ----------
    grids : int
        How many there are.
    frames : int | None
        Of the film, 2 or more; None: as many as grids. With fewer some are left out, but neither
        the first nor the last.
    """
    if frames is None:
        return list(range(grids))
    if frames < grids:
        return [round(frame * (grids - 1) / (frames - 1)) for frame in range(frames)]
    return [frame * grids // frames for frame in range(frames)]


def growth_frames(
    grids: Sequence[SavedGrid], order: Sequence[int], *, settings: RunSettings
) -> Iterator[Image]:
    """Show grids in an order, all in the size of the last, under kimg and resolution.

    Pixels of the early ones are replicated. A size beyond 1920 pixels is halved until it is not.

    Parameters
    ----------
    grids : sequence of SavedGrid
        The last one has the run's largest size.
    order : sequence of int
        Which one each frame shows.
    settings : RunSettings
        The run's, which say what resolution it had when.

    Yields
    ------
    Image
        uint8 (H, W, 3), all of one size.

    Raises
    ------
    DataError
        A file is damaged, or its size does not go into the largest.
    """
    height, width = _film_size(_read(grids[-1]))
    shown, frame = -1, np.empty((0, 0, 3), np.uint8)
    for index in order:
        if index != shown:
            kimg, path = grids[index]
            fitted = _fitted(_read(grids[index]), height=height, width=width, name=path)
            side = phase_at(round(1000 * kimg), settings).resolution
            bar = caption_bar(f"{kimg:,g} kimg    {side}x{side}", width_px=width)
            frame = np.concatenate([bar, fitted])
            shown = index
        yield frame


def caption_bar(text: str, *, width_px: int) -> Image:
    """Write a line of text, dark on white.

    Parameters
    ----------
    text : str
        Not empty.
    width_px : int
        Of the bar.

    Returns
    -------
    Image
        uint8 (h, width_px, 3); h does not depend on the text.
    """
    # The heading of a sheet that is wide enough, down to the first of its tiles.
    tiles = [Tile(np.full((1, 1, 3), _MARK, np.uint8))]
    columns = width_px // _MARK_PX + 1
    sheet = contact_sheet([Section(tiles, text)], columns=columns, tile_px=_MARK_PX)
    top = int(np.flatnonzero((sheet == _MARK).all(axis=2).any(axis=1))[0])
    return np.ascontiguousarray(sheet[:top, :width_px])


def _read(grid: SavedGrid) -> Image:
    return decode_image(read_file(grid.path), name=str(grid.path))


def _film_size(largest: Image) -> tuple[int, int]:
    height, width = largest.shape[:2]
    while max(height, width) > _MOST_PX and height % 2 == 0 and width % 2 == 0:
        height, width = height // 2, width // 2
    factor = max(1, -(-_LEAST_PX // width))
    return height * factor, width * factor


def _fitted(picture: Image, *, height: int, width: int, name: Path) -> Image:
    """Replicate or average a picture's pixels by a whole factor."""
    rows, columns = picture.shape[:2]
    if height * columns != width * rows or (width % columns and columns % width):
        raise DataError(
            f"{name}: {columns}x{rows} pixels, which does not go into the film's {width}x{height}; "
            "it is of another run or grid: remove it"
        )
    if columns > width:
        return box_downscale(picture, factor=columns // width)
    return picture.repeat(height // rows, axis=0).repeat(width // columns, axis=1)
