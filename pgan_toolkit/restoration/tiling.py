"""Tiles: a picture's parts, each with the surroundings that its result depends on.

Networks see `reach_px` pixels around the one that they compute. A tile that is shown that margin
gives the pixels of the whole picture, and a margin that the picture's edge cuts short is cut short
in the whole picture too: what a network makes of an edge, it makes of true edges only. A network
that folds squares of pixels must also find them where it would find them in the whole picture, so
what a tile is shown begins at a multiple of the squares' side.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, pairwise

from pgan_toolkit.imaging import Box

__all__ = ["Tile", "batched_tiles", "grown_box", "plan_tiles"]


@dataclass(frozen=True)
class Tile:
    """A part of the result, and what each step must be shown for it.

    Attributes
    ----------
    kept : Box
        What the tile contributes to the result, input pixels of the picture.
    seen : tuple of Box
        What the steps are shown, first step first: each lies within the one before.
    """

    kept: Box
    seen: tuple[Box, ...]


def grown_box(part: Box, margin_px: int, *, within: Box, alignment_px: int = 1) -> Box:
    """Grow a box on all sides, as far as there is picture.

    Parameters
    ----------
    part : Box
        A part of the picture, pixels.
    margin_px : int
        How far to grow it.
    within : Box
        The picture; nothing is seen beyond.
    alignment_px : int
        The result begins at a multiple of this from the picture's left and top; where it would
        not, it grows further.
    """
    left = max(part.left - margin_px - within.left, 0) // alignment_px * alignment_px
    top = max(part.top - margin_px - within.top, 0) // alignment_px * alignment_px
    return Box(
        within.left + left,
        within.top + top,
        min(part.right + margin_px, within.right),
        min(part.bottom + margin_px, within.bottom),
    )


def plan_tiles(
    region: Box, *, whole: Box, reaches_px: Sequence[int], alignment_px: int, tile_px: int
) -> list[Tile]:
    """Divide a region into tiles of much the same size, row by row.

    Parameters
    ----------
    region : Box
        What is wanted, input pixels.
    whole : Box
        The picture that it is a part of.
    reaches_px : sequence of int
        How far each step's result depends on its input, first step first, input pixels.
    alignment_px : int
        What a step is shown begins at a multiple of this.
    tile_px : int
        The largest side of what a tile contributes.
    """
    columns = list(pairwise(_cuts(region.left, region.right, tile_px)))
    rows = list(pairwise(_cuts(region.top, region.bottom, tile_px)))
    tiles = []
    for top, bottom in rows:
        for left, right in columns:
            kept = seen = Box(left, top, right, bottom)
            shown: list[Box] = []
            for reach in reversed(reaches_px):
                seen = grown_box(seen, reach, within=whole, alignment_px=alignment_px)
                shown.append(seen)
            tiles.append(Tile(kept, tuple(reversed(shown))))
    return tiles


def batched_tiles(tiles: Sequence[Tile], *, size: int) -> Iterator[list[Tile]]:
    """Group tiles whose steps see boxes of the same sizes, at most `size` a group."""
    alike = groupby(sorted(tiles, key=_layout), key=_layout)
    for _, group in alike:
        while batch := list(islice(group, size)):
            yield batch


def _cuts(start: int, end: int, tile_px: int) -> list[int]:
    """Where equal parts of at most `tile_px` begin and end."""
    count = max(math.ceil((end - start) / tile_px), 1)
    return [start + (end - start) * index // count for index in range(count + 1)]


def _layout(tile: Tile) -> tuple[tuple[int, int, int, int], ...]:
    """Boxes of a tile from its first one's corner: equal for tiles that can be stacked."""
    first = tile.seen[0] if tile.seen else tile.kept
    return tuple(
        (box.left - first.left, box.top - first.top, box.width, box.height)
        for box in (*tile.seen, tile.kept)
    )
