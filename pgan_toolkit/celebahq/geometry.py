"""Where the oriented crop lies, and every size and step that follows from it.

All is decided here, from landmarks and the picture's size alone, before a pixel is touched
(Karras et al. 2018, appendix C; constants the paper leaves out follow the authors' program).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.arrays import Landmarks, Quad
from pgan_toolkit.imaging import Box, Margins

__all__ = ["CropPlan", "crop_quad", "plan_crop"]

_EYE_TO_MOUTH_SHIFT = 0.1
_LEAST_SHRINK = 2
_WARP_REACH_PX = 2  # bilinear sampling reads one pixel beyond the corners, rounding another


@dataclass(frozen=True)
class CropPlan:
    """The steps for one photograph, in the order in which they are taken.

    Attributes
    ----------
    zoom : float
        Output pixels per photograph pixel.
    shrink : int
        The photograph is first reduced by this factor; 1 leaves it alone.
    shrunken_width, shrunken_height : int
        Its size after that, pixels.
    region : Box
        What is cut out of the shrunken photograph.
    upscale : int
        Power of two by which the region is enlarged (the super-resolution step); 1 for none.
    margins : Margins | None
        Padding of the enlarged region; None where the crop lies well inside.
    sigma_px : float
        Blur of the padding, enlarged pixels.
    quad : Quad
        Corners in the enlarged and padded region, of pixel centres.
    """

    zoom: float
    shrink: int
    shrunken_width: int
    shrunken_height: int
    region: Box
    upscale: int
    margins: Margins | None
    sigma_px: float
    quad: Quad

    @property
    def window(self) -> Box:
        """The part of the enlarged and padded region that the warp reads."""
        low = np.floor(self.quad.min(axis=0)).astype(int) - _WARP_REACH_PX
        high = np.ceil(self.quad.max(axis=0)).astype(int) + _WARP_REACH_PX + 1
        margins = self.margins or Margins(0, 0, 0, 0)
        width = self.region.width * self.upscale + margins.left + margins.right
        height = self.region.height * self.upscale + margins.top + margins.bottom
        return Box(
            max(int(low[0]), 0),
            max(int(low[1]), 0),
            min(int(high[0]), width),
            min(int(high[1]), height),
        )

    @property
    def needed(self) -> Box:
        """The part of the shrunken photograph that the result depends on.

        All of the region where it is padded, since the padding ends in its median; otherwise only
        what the warp reads.
        """
        if self.margins:
            return self.region
        window, region, scale = self.window, self.region, self.upscale
        return Box(
            region.left + window.left // scale,
            region.top + window.top // scale,
            min(region.left - (-window.right // scale), region.right),
            min(region.top - (-window.bottom // scale), region.bottom),
        )

    @property
    def quad_in_warped(self) -> Quad:
        """Corners in what the warp is given: the padded window, or the enlarged needed part."""
        if self.margins:
            return self.quad - np.array([self.window.left, self.window.top], np.float64)
        part, region = self.needed, self.region
        origin = np.array([part.left - region.left, part.top - region.top], np.float64)
        return self.quad - origin * self.upscale


def crop_quad(landmarks: Landmarks) -> Quad:
    """Corners of the oriented square crop around a face.

    With e the eyes' centre, m the mouth's and v = m - e: x = e1 - e0 - rot90(v), scaled to half
    the side max(4 |e1 - e0|, 3.6 |v|); centre e + 0.1 v (Karras et al. 2018, appendix C, eq. for
    x', y', c, s).

    Parameters
    ----------
    landmarks : Landmarks
        float32 (5, 2) x, y in pixels: left eye, right eye, nose, left mouth, right mouth.

    Returns
    -------
    Quad
        float64 (4, 2): top left, bottom left, bottom right, top right, in pixels.
    """
    e0, e1, _, m0, m1 = landmarks.astype(np.float64)
    eye_centre = (e0 + e1) / 2 + 0.5
    x_prime, v = e1 - e0, (m0 + m1) / 2 - (e0 + e1) / 2
    x = x_prime - _rot90(v)
    x *= max(2.0 * np.hypot(*x_prime), 1.8 * np.hypot(*v)) / np.hypot(*x)
    y = _rot90(x)
    c = eye_centre + _EYE_TO_MOUTH_SHIFT * v
    return np.stack([c - x - y, c - x + y, c + x + y, c + x - y])


def plan_crop(landmarks: Landmarks, *, width: int, height: int, output_size: int) -> CropPlan:
    """Decide every step for a photograph of the given size.

    Parameters
    ----------
    landmarks : Landmarks
        float32 (5, 2) x, y in pixels; checked by the caller to span a face.
    width, height : int
        Of the photograph, pixels.
    output_size : int
        Side of the result, pixels (1024 in the paper).
    """
    quad = crop_quad(landmarks)
    zoom = original_zoom = output_size / float(np.hypot(*(quad[3] - quad[0])))
    shrink = math.floor(0.5 / zoom)
    if shrink >= _LEAST_SHRINK:
        width, height = max(round(width / shrink), 1), max(round(height / shrink), 1)
        quad, zoom = quad / shrink, zoom * shrink
    else:
        shrink = 1
    border = max(round(output_size * 0.1 / zoom), 3)
    region = _region(quad, border, width, height)
    quad = quad - np.array([region.left, region.top])
    upscale = max(1, 2 ** math.ceil(math.log2(zoom)))
    quad, zoom = quad * upscale, zoom / upscale
    margins = _margins(quad, border, region, upscale, round(output_size * 0.3 / zoom))
    if margins:
        quad = quad + np.array([margins.left, margins.top])
    return CropPlan(
        zoom=original_zoom,
        shrink=shrink,
        shrunken_width=width,
        shrunken_height=height,
        region=region,
        upscale=upscale,
        margins=margins,
        sigma_px=output_size * 0.02 / zoom,
        quad=quad,
    )


def _rot90(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([-vector[1], vector[0]])


def _bounds(quad: Quad, border: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the quad's bounding box, grown by the border."""
    low, high = np.floor(quad.min(axis=0)), np.ceil(quad.max(axis=0))
    return (
        int(low[0]) - border,
        int(low[1]) - border,
        int(high[0]) + border,
        int(high[1]) + border,
    )


def _region(quad: Quad, border: int, width: int, height: int) -> Box:
    left, top, right, bottom = _bounds(quad, border)
    return Box(max(left, 0), max(top, 0), min(right, width), min(bottom, height))


def _margins(quad: Quad, border: int, region: Box, upscale: int, least: int) -> Margins | None:
    """Padding on all sides if the crop comes near the picture's edge anywhere, else none."""
    left, top, right, bottom = _bounds(quad, border)
    needed = (
        max(-left, 0),
        max(-top, 0),
        max(right - region.width * upscale, 0),
        max(bottom - region.height * upscale, 0),
    )
    if max(needed) <= border - 4:
        return None
    return Margins(*(max(side, least) for side in needed))
