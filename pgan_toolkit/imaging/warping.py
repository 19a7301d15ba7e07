"""The oriented crop: a square of any angle, resampled upright."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.arrays import Image, Quad
from pgan_toolkit.imaging.resample import lanczos_resize

__all__ = ["STRIP_ROWS", "SUPERSAMPLING", "sampling_map", "warp_quad"]

SUPERSAMPLING = 4
"""Samples a pixel and axis of the result."""
STRIP_ROWS = 256
"""Rows of the supersampled picture that are made at once: what stays in a core's cache."""

_Rgba = NDArray[np.uint8]


def warp_quad(
    image: Image, quad: Quad, *, size: int, final_filter: Literal["box", "lanczos"]
) -> Image:
    """Resample a parallelogram of the picture to size x size pixels.

    Bilinear to 4 size x 4 size, then down by the box or Lanczos filter
    (Karras et al. 2018, appendix C: 4096x4096, then 1024x1024).

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3).
    quad : Quad
        float64 (4, 2), corners in pixels: top left, bottom left, bottom right, top right. Whole
        numbers are the centres of pixels, so that -0.5 .. width - 0.5 is the whole picture.
    size : int
        Side of the result, pixels.
    final_filter : "box" or "lanczos"
        The last step: the mean of 4x4 samples, or Lanczos.

    Returns
    -------
    Image
        uint8 (size, size, 3).
    """
    # With a fourth channel, of no meaning, OpenCV's warp is three times as fast.
    four = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2RGBA), np.uint8)
    side = SUPERSAMPLING * size
    if final_filter == "lanczos":
        large = np.empty((side, side, 4), np.uint8)
        _sample(four, quad, side, 0, out=large)
        return lanczos_resize(_rgb(large), width=size, height=size)
    result = np.empty((size, size, 4), np.uint8)
    samples = np.empty((min(STRIP_ROWS, side), side, 4), np.uint8)
    for top in range(0, side, STRIP_ROWS):
        strip = samples[: min(STRIP_ROWS, side - top)]
        _sample(four, quad, side, top, out=strip)
        first, rows = top // SUPERSAMPLING, len(strip) // SUPERSAMPLING
        part = result[first : first + rows]
        cv2.resize(strip, (size, rows), dst=part, interpolation=cv2.INTER_AREA)
    return _rgb(result)


def _sample(four: _Rgba, quad: Quad, side: int, first_row: int, *, out: _Rgba) -> None:
    """Fill rows of the supersampled picture, bilinear."""
    cv2.warpAffine(
        four,
        sampling_map(quad, side, first_row),
        (side, len(out)),
        dst=out,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _rgb(four: _Rgba) -> Image:
    return np.asarray(cv2.cvtColor(four, cv2.COLOR_RGBA2RGB), np.uint8)


def sampling_map(quad: Quad, side: int, first_row: int) -> NDArray[np.float64]:
    """Affine map from sample (column, row) to the source: centres lie at half pixels.

    Parameters
    ----------
    quad : Quad
        float64 (4, 2), as in `warp_quad`.
    side : int
        Samples a side of the quad.
    first_row : int
        The sample row that the map calls 0.

    Returns
    -------
    float64 (2, 3)
        (x, y) of the source is its product with (column, row, 1).
    """
    x_step = (quad[3] - quad[0]) / side
    y_step = (quad[1] - quad[0]) / side
    origin = quad[0] + 0.5 * x_step + (first_row + 0.5) * y_step
    return np.stack([x_step, y_step, origin], axis=1)
