"""The crop of CelebA-HQ, step by step with Pillow and SciPy: what ours is timed against.

Whole pictures in floating point, one straightforward call per step, as a careful person would
first write it down from the published description, with Lanczos in place of the nets.
"""

from pathlib import Path

import numpy as np
import PIL.Image
import scipy.ndimage
from numpy.typing import NDArray

Array = NDArray[np.float64]


def crop_quad(landmarks: Array, output_size: int) -> tuple[Array, float]:
    """Corners (4, 2) of the oriented crop and its zoom."""
    left_eye, right_eye, _, left_mouth, right_mouth = landmarks
    eyes = (left_eye + right_eye) / 2 + 0.5
    mouth = (left_mouth + right_mouth) / 2 + 0.5
    across, down = right_eye - left_eye, mouth - eyes
    x = across - np.array([-down[1], down[0]])
    x /= np.hypot(*x)
    x *= max(np.hypot(*across) * 2.0, np.hypot(*down) * 1.8)
    y = np.array([-x[1], x[0]])
    centre = eyes + 0.1 * down
    quad = np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])
    return quad, output_size / (2 * float(np.hypot(*x)))


def render(
    path: Path, landmarks: Array, output_size: int = 1024, *, box: bool = False
) -> PIL.Image.Image:
    """Render one photograph's aligned crop; the last filter is Lanczos, or box if asked."""
    picture = PIL.Image.open(path).convert("RGB")
    quad, zoom = crop_quad(landmarks, output_size)
    picture, quad, zoom = _shrink(picture, quad, zoom)
    border = max(round(output_size * 0.1 / zoom), 3)
    picture, quad = _crop(picture, quad, border)
    picture, quad, zoom = _enlarge(picture, quad, zoom)
    picture, quad = _pad(picture, quad, zoom, border, output_size)
    corners = tuple((quad + 0.5).flatten())
    size = 4 * output_size
    large = picture.transform(
        (size, size), PIL.Image.Transform.QUAD, corners, PIL.Image.Resampling.BILINEAR
    )
    last = PIL.Image.Resampling.BOX if box else PIL.Image.Resampling.LANCZOS
    return large.resize((output_size, output_size), last)


def _shrink(
    picture: PIL.Image.Image, quad: Array, zoom: float
) -> tuple[PIL.Image.Image, Array, float]:
    factor = int(np.floor(0.5 / zoom))
    if factor <= 1:
        return picture, quad, zoom
    size = (round(picture.width / factor), round(picture.height / factor))
    return picture.resize(size, PIL.Image.Resampling.LANCZOS), quad / factor, zoom * factor


def _crop(picture: PIL.Image.Image, quad: Array, border: int) -> tuple[PIL.Image.Image, Array]:
    low = np.maximum(np.floor(quad.min(0)).astype(int) - border, 0)
    high = np.minimum(np.ceil(quad.max(0)).astype(int) + border, picture.size)
    if tuple(high - low) == picture.size:
        return picture, quad
    return picture.crop((*low.tolist(), *high.tolist())), quad - low


def _enlarge(
    picture: PIL.Image.Image, quad: Array, zoom: float
) -> tuple[PIL.Image.Image, Array, float]:
    factor = 2.0 ** np.ceil(np.log2(zoom))
    if factor <= 1:
        return picture, quad, zoom
    size = (round(picture.width * factor), round(picture.height * factor))
    return picture.resize(size, PIL.Image.Resampling.LANCZOS), quad * factor, zoom / factor


def _pad(
    picture: PIL.Image.Image, quad: Array, zoom: float, border: int, output_size: int
) -> tuple[PIL.Image.Image, Array]:
    before = np.maximum(-np.floor(quad.min(0)).astype(int) + border, 0)
    after = np.maximum(np.ceil(quad.max(0)).astype(int) + border - picture.size, 0)
    if max(before.max(), after.max()) <= border - 4:
        return picture, quad
    least = round(output_size * 0.3 / zoom)
    (left, top), (right, bottom) = np.maximum(before, least), np.maximum(after, least)
    image = np.pad(
        np.asarray(picture, np.float32), ((top, bottom), (left, right), (0, 0)), "reflect"
    )
    height, width = image.shape[:2]
    y, x, _ = np.ogrid[:height, :width, :1]
    mask = 1 - np.minimum(
        np.minimum(np.float32(x) / left, np.float32(y) / top),
        np.minimum(np.float32(width - 1 - x) / right, np.float32(height - 1 - y) / bottom),
    )
    sigma = output_size * 0.02 / zoom
    blurred = scipy.ndimage.gaussian_filter(image, [sigma, sigma, 0])
    image += (blurred - image) * np.clip(mask * 3 + 1, 0, 1)
    image += (np.median(image, axis=(0, 1)) - image) * np.clip(mask, 0, 1)
    padded = np.uint8(np.clip(np.round(image), 0, 255))
    return PIL.Image.fromarray(padded), quad + np.array([left, top])
