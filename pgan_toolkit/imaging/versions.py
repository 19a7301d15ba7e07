"""The libraries that decide the pixels."""

import cv2
import PIL

__all__ = ["pixel_library_versions"]


def pixel_library_versions() -> dict[str, str]:
    """Versions of the libraries that decode and resample: with others, pixels may differ."""
    return {"OpenCV": cv2.__version__, "Pillow": PIL.__version__}
