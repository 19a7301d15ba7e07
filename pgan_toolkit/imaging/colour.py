"""Luma as scores are taken on it, in float64, and grey pictures.

Two ranges of BT.601's luma are in use: full range, 0..255, which JPEG files hold, and studio range,
16..235, on which the published tables of super-resolution and of JPEG artifacts are. `luma` beside
these is the full range in float32, which spectra and quality scores are made with.
"""

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from pgan_toolkit.arrays import Grey, Image
from pgan_toolkit.errors import UsageError

__all__ = ["full_luma", "grey_levels", "grey_to_rgb", "is_grey", "studio_luma"]

_STUDIO_WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255
_STUDIO_BLACK = 16.0


def studio_luma(image: Image) -> Float64[np.ndarray, "_ _"]:
    """BT.601 luma in studio range, not rounded; MATLAB's rgb2ycbcr before it rounds.

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3), RGB.

    Returns
    -------
    ndarray
        float64 (H, W), 16..235: 16 + (65.481 R + 128.553 G + 24.966 B) / 255.
    """
    return _STUDIO_BLACK + image.astype(np.float64) @ _STUDIO_WEIGHTS


def full_luma(image: Image) -> Float64[np.ndarray, "_ _"]:
    """BT.601 luma in full range, not rounded; of a grey picture exactly its levels.

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3), RGB.

    Returns
    -------
    ndarray
        float64 (H, W), 0..255: 0.299 R + 0.587 G + 0.114 B.
    """
    red, green, blue = np.moveaxis(image.astype(np.float64), 2, 0)
    # Written as differences from green, which are exactly 0 where the picture is grey.
    luma: NDArray[np.float64] = green + 0.299 * (red - green) + 0.114 * (blue - green)
    return luma


def is_grey(image: Image) -> bool:
    """Whether the three channels are equal everywhere."""
    return bool((image == image[:, :, :1]).all())


def grey_levels(plane: Float64[np.ndarray, "_ _"]) -> Grey:
    """Round a plane of 0..255, halves up as MATLAB does, to uint8 (H, W).

    Raises
    ------
    UsageError
        A level lies outside 0..255 or is no number.
    """
    if not (plane.min() >= 0 and plane.max() <= 255):
        raise UsageError(f"levels {plane.min()}..{plane.max()}; expected 0..255")
    return np.floor(plane + 0.5).astype(np.uint8)


def grey_to_rgb(levels: Grey) -> Image:
    """Repeat uint8 (H, W) into three channels."""
    return np.repeat(levels[:, :, None], 3, axis=2)
