"""The histogram over the 1000 modes of three digits, as a picture."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from jaxtyping import Int64

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import UsageError

__all__ = ["draw_modes"]

_PAPER, _INK = (255, 255, 255), (34, 34, 34)
_EMPTY = (192, 57, 43)
_DARK, _LIGHT = (16, 42, 90), (226, 236, 248)  # the fullest cell and the emptiest that has one
_CELL_PX, _CELL_GAP_PX = 34, 1
_MARGIN_PX = 16
_AXIS_PX = 20  # beside and above a panel, for its digits
_TITLE_PX = 22
_PANEL_GAP_PX = 20
_PANELS_IN_A_ROW = 5
_PANEL_PX = _AXIS_PX + 10 * (_CELL_PX + _CELL_GAP_PX)
_SMALL, _MIDDLE, _LARGE = 12, 14, 20  # heights of text in pixels


def draw_modes(histogram: Int64[np.ndarray, "1000"], *, title: Sequence[str] = ()) -> Image:
    """Draw the images of each mode R + 10 G + 100 B as a number in a cell, darker for more.

    One panel for each digit of B; in it a row for each digit of G and a column for each of R. Empty
    modes are red.

    Parameters
    ----------
    histogram : int64 (1000,)
        Images by mode.
    title : sequence of str
        Lines above.

    Returns
    -------
    Image
        uint8 (H, W, 3), RGB.

    Raises
    ------
    UsageError
        There are no images in it.
    """
    if histogram.sum() < 1 or histogram.min() < 0:
        raise UsageError("a histogram of no images cannot be drawn")
    top = _MARGIN_PX + (len(title) + 1) * round(1.4 * _LARGE) + _MIDDLE
    rows = 10 // _PANELS_IN_A_ROW
    width = 2 * _MARGIN_PX + _PANELS_IN_A_ROW * (_PANEL_PX + _PANEL_GAP_PX) - _PANEL_GAP_PX
    height = top + rows * (_TITLE_PX + _PANEL_PX + _PANEL_GAP_PX) - _PANEL_GAP_PX + _MARGIN_PX
    page = PIL.Image.new("RGB", (width, height), _PAPER)
    draw = PIL.ImageDraw.Draw(page)
    _draw_heading(draw, histogram, title)
    for blue in range(10):
        row, column = divmod(blue, _PANELS_IN_A_ROW)
        left = _MARGIN_PX + column * (_PANEL_PX + _PANEL_GAP_PX)
        panel_top = top + row * (_TITLE_PX + _PANEL_PX + _PANEL_GAP_PX)
        counts = histogram[100 * blue : 100 * (blue + 1)].reshape(10, 10)
        _draw_panel(draw, counts, (left, panel_top), blue=blue, highest=int(histogram.max()))
    return np.array(page)


def _draw_heading(
    draw: PIL.ImageDraw.ImageDraw, histogram: Int64[np.ndarray, "1000"], title: Sequence[str]
) -> None:
    empty = int((histogram == 0).sum())
    legend = (
        f"images by mode: {histogram.min():,} to {histogram.max():,}, {histogram.mean():,.1f} on "
        f"average; {empty:,} empty (red). Columns: red channel, rows: green, panels: blue"
    )
    for number, line in enumerate((*title, legend)):
        size = _LARGE if number < len(title) else _MIDDLE
        place = (_MARGIN_PX, _MARGIN_PX + number * round(1.4 * _LARGE))
        draw.text(place, line, fill=_INK, font=_font(size))


def _draw_panel(
    draw: PIL.ImageDraw.ImageDraw,
    counts: Int64[np.ndarray, "10 10"],
    corner: tuple[int, int],
    *,
    blue: int,
    highest: int,
) -> None:
    """Draw the cells of one digit of B; rows are G and columns R."""
    left, top = corner
    draw.text((left + _AXIS_PX, top), f"B = {blue}", fill=_INK, font=_font(_MIDDLE))
    left, top = left + _AXIS_PX, top + _TITLE_PX + _AXIS_PX
    pitch = _CELL_PX + _CELL_GAP_PX
    for digit in range(10):
        middle = digit * pitch + _CELL_PX // 2
        _centred(draw, (left + middle, top - _AXIS_PX // 2), str(digit), _INK)
        _centred(draw, (left - _AXIS_PX // 2, top + middle), str(digit), _INK)
    for (green, red), count in np.ndenumerate(counts):
        x, y = left + red * pitch, top + green * pitch
        share = count / highest
        draw.rectangle((x, y, x + _CELL_PX - 1, y + _CELL_PX - 1), fill=_fill(share))
        ink = _PAPER if count == 0 or share > 0.5 else _INK
        _centred(draw, (x + _CELL_PX // 2, y + _CELL_PX // 2), _short(int(count)), ink)


def _fill(share: float) -> tuple[int, int, int]:
    """Colour of a cell that has this share of the highest count."""
    if share == 0:
        return _EMPTY
    red, green, blue = (
        round(light + (dark - light) * share) for light, dark in zip(_LIGHT, _DARK, strict=True)
    )
    return red, green, blue


def _short(count: int) -> str:
    """Return a count in at most four characters: 1234, 12k, 3M."""
    if count < 10_000:
        return str(count)
    return f"{count // 1000}k" if count < 1_000_000 else f"{count // 1_000_000}M"


def _centred(
    draw: PIL.ImageDraw.ImageDraw, place: tuple[int, int], text: str, ink: tuple[int, int, int]
) -> None:
    draw.text(place, text, fill=ink, font=_font(_SMALL), anchor="mm")


@cache
def _font(size_px: int) -> PIL.ImageFont.FreeTypeFont:
    font = PIL.ImageFont.load_default(size=size_px)
    if not isinstance(font, PIL.ImageFont.FreeTypeFont):
        raise TypeError("this Pillow was built without FreeType, which its wheels include")
    return font
