"""Contact sheets: many pictures on one page, with captions, coloured frames and headings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import UsageError

__all__ = ["AMBER", "GREEN", "RED", "Colour", "Section", "Tile", "contact_sheet", "shrink_to_fit"]

Colour = tuple[int, int, int]
"""RGB, 0..255 each."""
GREEN: Colour = (46, 139, 87)
AMBER: Colour = (214, 137, 16)
RED: Colour = (192, 57, 43)

_PAPER: Colour = (255, 255, 255)
_INK: Colour = (34, 34, 34)
_EMPTY: Colour = (225, 225, 225)
_MARGIN_PX = 12
_GAP_PX = 8
_FRAME_PX = 4
_FRAME_GAP_PX = 1
_LINE_SPACING = 1.3
_ELLIPSIS = "…"
_MIN_TILE_PX = 16


@dataclass(frozen=True, eq=False)
class Tile:
    """One picture of a sheet.

    Attributes
    ----------
    image : Image | None
        uint8 (H, W, 3), RGB, of any size; None draws a crossed-out field, for a picture that could
        not be read.
    caption : str
        Text under it; each line is shortened in its middle where it is too long.
    border : Colour | None
        A frame around it, for a verdict: `GREEN`, `AMBER`, `RED` or any other colour.
    """

    image: Image | None
    caption: str = ""
    border: Colour | None = None


@dataclass(frozen=True)
class Section:
    """Tiles under a heading. Attributes: `tiles`, and `title`, which may be empty."""

    tiles: Sequence[Tile]
    title: str = ""


@dataclass(frozen=True)
class _Style:
    """Sizes in pixels that follow from the tile size."""

    columns: int
    tile_px: int
    caption_font: PIL.ImageFont.FreeTypeFont = field(repr=False)
    title_font: PIL.ImageFont.FreeTypeFont = field(repr=False)

    @property
    def width_px(self) -> int:
        return 2 * _MARGIN_PX + self.columns * (self.tile_px + _GAP_PX) - _GAP_PX

    def line_px(self, font: PIL.ImageFont.FreeTypeFont) -> int:
        return math.ceil(font.size * _LINE_SPACING)

    def rows(self, section: Section) -> list[Sequence[Tile]]:
        starts = range(0, len(section.tiles), self.columns)
        return [section.tiles[start : start + self.columns] for start in starts]

    def row_px(self, row: Sequence[Tile]) -> int:
        lines = max(len(tile.caption.splitlines()) for tile in row)
        return self.tile_px + lines * self.line_px(self.caption_font) + _GAP_PX

    def title_px(self, section: Section) -> int:
        return self.line_px(self.title_font) + _GAP_PX if section.title else 0


def contact_sheet(sections: Sequence[Section], *, columns: int = 8, tile_px: int = 128) -> Image:
    """Draw pictures in rows on white, each with its caption, under the headings of their sections.

    A picture keeps its shape and is centred in its tile; a large one is shrunk with a Lanczos
    filter, a small one enlarged by a whole factor with hard pixels.

    Parameters
    ----------
    sections : sequence of Section
        From top to bottom; one without a title for a plain sheet.
    columns : int
        Tiles in a row, at least 1. The page is that wide even if there are fewer tiles.
    tile_px : int
        Side of a tile, at least 16.

    Returns
    -------
    Image
        uint8 (H, W, 3), RGB.

    Raises
    ------
    UsageError
        `columns` or `tile_px` is too small, or there is no tile.
    """
    if columns < 1 or tile_px < _MIN_TILE_PX:
        raise UsageError(
            f"a sheet of {columns} columns of {tile_px} pixels; expected at least 1 column and "
            f"{_MIN_TILE_PX} pixels"
        )
    shown = [section for section in sections if section.tiles]
    if not shown:
        raise UsageError("a contact sheet of no pictures; give at least one")
    style = _style(columns, tile_px)
    height = 2 * _MARGIN_PX - _GAP_PX + sum(_section_px(section, style) for section in shown)
    page = PIL.Image.new("RGB", (style.width_px, height), _PAPER)
    top = _MARGIN_PX
    for section in shown:
        _draw_section(page, section, top, style)
        top += _section_px(section, style)
    return np.array(page)


def shrink_to_fit(image: Image, *, size_px: int) -> Image:
    """Shrink a picture, keeping its shape, until both sides are at most `size_px`.

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3), RGB. One that fits is returned as it is.
    size_px : int
        The longest side allowed.

    Returns
    -------
    Image
        uint8 (H, W, 3), RGB, by a Lanczos filter.
    """
    height, width = image.shape[:2]
    longest = max(height, width)
    if longest <= size_px:
        return image
    size = (
        max(1, round(width * size_px / longest)),
        max(1, round(height * size_px / longest)),
    )
    # Shrunk by whole boxes to three times the size first: the eye sees no difference.
    small = PIL.Image.fromarray(image).resize(size, PIL.Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.array(small)


def _style(columns: int, tile_px: int) -> _Style:
    caption_px, title_px = tile_px // 10, tile_px // 6
    return _Style(
        columns, tile_px, _font(min(max(caption_px, 11), 20)), _font(min(max(title_px, 15), 30))
    )


def _font(size_px: int) -> PIL.ImageFont.FreeTypeFont:
    font = PIL.ImageFont.load_default(size=size_px)
    if not isinstance(font, PIL.ImageFont.FreeTypeFont):
        raise TypeError("this Pillow was built without FreeType, which its wheels include")
    return font


def _section_px(section: Section, style: _Style) -> int:
    return style.title_px(section) + sum(style.row_px(row) for row in style.rows(section))


def _draw_section(page: PIL.Image.Image, section: Section, top: int, style: _Style) -> None:
    if section.title:
        title = _shortened(section.title, style.title_font, style.width_px - 2 * _MARGIN_PX)
        PIL.ImageDraw.Draw(page).text((_MARGIN_PX, top), title, fill=_INK, font=style.title_font)
    top += style.title_px(section)
    for row in style.rows(section):
        for column, tile in enumerate(row):
            left = _MARGIN_PX + column * (style.tile_px + _GAP_PX)
            _draw_tile(page, tile, left, top, style)
        top += style.row_px(row)


def _draw_tile(page: PIL.Image.Image, tile: Tile, left: int, top: int, style: _Style) -> None:
    draw = PIL.ImageDraw.Draw(page)
    field_px = style.tile_px
    right, bottom = left + field_px - 1, top + field_px - 1
    if tile.image is None:
        draw.rectangle((left, top, right, bottom), fill=_EMPTY)
        draw.line((left, top, right, bottom), fill=RED, width=2)
        draw.line((left, bottom, right, top), fill=RED, width=2)
    else:
        inset = _FRAME_PX + _FRAME_GAP_PX if tile.border else 0
        picture = PIL.Image.fromarray(_fitted(tile.image, field_px - 2 * inset))
        place = (left + (field_px - picture.width) // 2, top + (field_px - picture.height) // 2)
        page.paste(picture, place)
    if tile.border:
        draw.rectangle((left, top, right, bottom), outline=tile.border, width=_FRAME_PX)
    for number, line in enumerate(tile.caption.splitlines()):
        text = _shortened(line, style.caption_font, field_px)
        y = bottom + 3 + number * style.line_px(style.caption_font)
        draw.text((left, y), text, fill=_INK, font=style.caption_font)


def _fitted(image: Image, size_px: int) -> Image:
    factor = size_px // max(image.shape[:2])
    if factor < 1:
        return shrink_to_fit(image, size_px=size_px)
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _shortened(text: str, font: PIL.ImageFont.FreeTypeFont, width_px: int) -> str:
    """Replace the middle of a text by an ellipsis where it is too long: its ends say most."""
    if font.getlength(text) <= width_px:
        return text
    for kept in range(len(text) - 1, 0, -1):
        short = text[: kept // 2] + _ELLIPSIS + text[len(text) - (kept - kept // 2) :]
        if font.getlength(short) <= width_px:
            return short
    return _ELLIPSIS
