"""Smoothing."""

import cv2
import numpy as np

from pgan_toolkit.arrays import Image

__all__ = ["gaussian_blur"]


def gaussian_blur(image: Image, *, sigma_px: float) -> Image:
    """Smooth by a Gaussian; the border is mirrored without repeating the edge pixel.

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3).
    sigma_px : float
        Standard deviation, pixels, above 0.
    """
    blurred = cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, np.uint8)
