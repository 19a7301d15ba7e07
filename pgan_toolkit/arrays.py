"""The array types that every package speaks, checked for shape and dtype in the test run."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Float64, UInt8

__all__ = ["Grey", "Image", "Landmarks", "Plane", "Quad"]

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Grey = NDArray[np.uint8]
    Plane = NDArray[np.float32]
    Landmarks = NDArray[np.float32]
    Quad = NDArray[np.float64]
else:
    Image = UInt8[np.ndarray, "_ _ 3"]
    """An RGB picture, C-contiguous, 0..255."""
    Grey = UInt8[np.ndarray, "_ _"]
    """A picture of one channel, 0..255."""
    Plane = Float32[np.ndarray, "_ _"]
    """One channel in float32, in grey levels or as its function says."""
    Landmarks = Float32[np.ndarray, "5 2"]
    """x, y in pixels: left eye, right eye, nose, left mouth, right mouth (as in CelebA's file)."""
    Quad = Float64[np.ndarray, "4 2"]
    """x, y in pixels of a crop's corners: top left, bottom left, bottom right, top right."""
