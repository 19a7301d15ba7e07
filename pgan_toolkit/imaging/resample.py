"""Resampling: Lanczos and bicubic by Pillow, box by exact means."""

import math
from typing import NamedTuple

import cv2
import numpy as np
import PIL.Image

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import UsageError

__all__ = ["Box", "bicubic_resize", "box_downscale", "lanczos_resize"]

_LANCZOS_A = 3


class Box(NamedTuple):
    """A rectangle of whole pixels; right and bottom are outside it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns in the box."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows in the box."""
        return self.bottom - self.top


def bicubic_resize(image: Image, *, width: int, height: int) -> Image:
    """Resample to width x height by the cubic of a = -0.5, widened when shrinking.

    What super-resolution's tables reduce and enlarge with, to rounding and to the edges' treatment.

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3).
    width, height : int
        Size of the result, pixels.

    Returns
    -------
    Image
        uint8 (height, width, 3).
    """
    resized = PIL.Image.fromarray(image).resize((width, height), PIL.Image.Resampling.BICUBIC)
    return np.asarray(resized)


def lanczos_resize(image: Image, *, width: int, height: int, region: Box | None = None) -> Image:
    """Resample to width x height by Lanczos (a = 3, widened when shrinking), rows first.

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3).
    width, height : int
        Size of the whole result, pixels.
    region : Box | None
        Compute only this part of the result: the pixels that cutting it out afterwards would
        give (to rounding), in the time that its own size takes.

    Returns
    -------
    Image
        uint8 (height, width, 3), or the region's size.
    """
    part = region or Box(0, 0, width, height)
    if part == (0, 0, image.shape[1], image.shape[0]) and image.shape[:2] == (height, width):
        return image
    x_scale, y_scale = image.shape[1] / width, image.shape[0] / height
    # One pass at a time: in one call Pillow chooses which comes first by the sizes, and a region
    # could get other pixels than the whole, since it rounds in between.
    reach = _LANCZOS_A * max(y_scale, 1) + 1
    first = max(math.floor(part.top * y_scale - reach), 0)
    last = min(math.ceil(part.bottom * y_scale + reach), image.shape[0])
    rows = PIL.Image.fromarray(image[first:last])
    columns = (part.left * x_scale, min(part.right * x_scale, image.shape[1]))
    wide = _resized(rows, (part.width, rows.height), (columns[0], 0, columns[1], rows.height))
    lines = (part.top * y_scale - first, min(part.bottom * y_scale - first, rows.height))
    whole = _resized(wide, (part.width, part.height), (0, lines[0], part.width, lines[1]))
    return np.asarray(whole)


def _resized(
    picture: PIL.Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]
) -> PIL.Image.Image:
    return picture.resize(size, PIL.Image.Resampling.LANCZOS, box=box)


def box_downscale(image: Image, *, factor: int) -> Image:
    """Shrink by a whole factor: every pixel is the rounded mean of factor x factor pixels.

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3), H and W multiples of the factor.
    factor : int
        1 or more.

    Raises
    ------
    UsageError
        The size is no multiple of the factor.
    """
    height, width = image.shape[:2]
    if factor < 1 or height % factor or width % factor:
        raise UsageError(f"{width}x{height} pixels cannot be shrunk by {factor} in whole boxes")
    if factor == 1:
        return image
    size = (width // factor, height // factor)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
