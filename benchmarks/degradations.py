"""Ways in which a photograph can be worse than it was, each in three increasing strengths.

Every function takes uint8 (H, W, 3) RGB and returns the same; pictures are made anew from explicit
seeds, so a run can be repeated exactly.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import PIL.Image

from pgan_toolkit.arrays import Image

__all__ = ["Degradation", "degradations"]

_SEED = 20180226


@dataclass(frozen=True)
class Degradation:
    """One way to spoil a picture: `versions` holds its three strengths, the mildest first."""

    family: str
    name: str
    versions: tuple[Callable[[Image], Image], ...]


def degradations() -> list[Degradation]:
    """Return every degradation of the benchmark: 23 ways in 9 families, 69 versions."""
    return [*_optics(), *_sampling(), *_screens(), *_grains()]


def _make(
    family: str, name: str, function: Callable[..., Image], strengths: tuple[float, ...]
) -> Degradation:
    versions = tuple(partial(function, strength=strength) for strength in strengths)
    return Degradation(family, f"{name} {'/'.join(f'{s:g}' for s in strengths)}", versions)


def _optics() -> list[Degradation]:
    angles = (0, 30, 45, 90, 120)
    return [
        _make("blur", "gaussian, sigma", gaussian_blur, (0.7, 2.0, 6.0)),
        _make("blur", "gaussian, sigma", gaussian_blur, (1.0, 1.5, 3.0)),
        *(
            _make("motion", f"{a} deg, length", partial(motion_blur, angle_deg=a), (5, 11, 25))
            for a in angles
        ),
    ]


def _sampling() -> list[Degradation]:
    kernels = {
        "linear": cv2.INTER_LINEAR,
        "cubic": cv2.INTER_CUBIC,
        "lanczos": cv2.INTER_LANCZOS4,
    }
    return [
        *(
            _make("scaling", f"down and {n} up, times", partial(down_up, kernel=k), (2, 4, 8))
            for n, k in kernels.items()
        ),
        _make("jpeg", "quality", jpeg, (50, 20, 5)),
        _make("jpeg", "quality", jpeg, (40, 30, 10)),
        _make("jpeg rescaled", "at 70 % size, quality", jpeg_rescaled, (50, 20, 5)),
    ]


def _screens() -> list[Degradation]:
    screens = [(4.0, 45.0), (5.3, 15.0), (8.0, 75.0), (8.0, 0.0), (12.0, 45.0)]
    grids = [(2.1, 2.0), (3.3, 7.0)]
    return [
        *(
            _make(
                "halftone",
                f"pitch {p:g}, {a:g} deg, share",
                partial(halftone, pitch_px=p, angle_deg=a),
                (0.15, 0.4, 1.0),
            )
            for p, a in screens
        ),
        *(
            _make(
                "moire",
                f"grid {p:g} px, {a:g} deg, depth",
                partial(moire, pitch_px=p, angle_deg=a),
                (0.05, 0.15, 0.4),
            )
            for p, a in grids
        ),
    ]


def _grains() -> list[Degradation]:
    return [
        _make("noise", "white RGB, sigma", white_noise, (5, 10, 20)),
        _make("noise", "white grey, sigma", partial(white_noise, grey=True), (5, 10, 20)),
        _make("grain", "film grain of 1 px, sigma", film_grain, (5, 10, 20)),
    ]


def gaussian_blur(image: Image, *, strength: float) -> Image:
    """Gaussian of `strength` pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), strength))


def motion_blur(image: Image, *, strength: float, angle_deg: float) -> Image:
    """Mean along a line of `strength` pixels."""
    size = 2 * int(np.ceil(strength / 2)) + 3
    kernel = np.zeros((size, size), np.float32)
    half = np.array([np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))]) * strength / 2
    for step in np.linspace(-1, 1, 64 * size):
        x, y = size // 2 + step * half
        col, row = int(x), int(y)
        for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
            weight = (1 - abs(x - col - dx)) * (1 - abs(y - row - dy))
            kernel[row + dy, col + dx] += weight
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()))


def down_up(image: Image, *, strength: float, kernel: int) -> Image:
    """Box filter down by `strength`, then `kernel` up to the old size."""
    height, width = image.shape[:2]
    size = (round(width / strength), round(height / strength))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=kernel))


def jpeg(image: Image, *, strength: float) -> Image:
    """Baseline JPEG by libjpeg, 4:2:0, of quality `strength`."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, "JPEG", quality=int(strength), subsampling="4:2:0")
    return np.asarray(PIL.Image.open(buffer).convert("RGB"))


def jpeg_rescaled(image: Image, *, strength: float) -> Image:
    """JPEG at 70 % of the size, then back up: blocks of 11.4 pixels."""
    height, width = image.shape[:2]
    size = (round(0.7 * width), round(0.7 * height))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    small = jpeg(small, strength=strength)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def _turned(image: Image, angle_deg: float) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return x * cos + y * sin, y * cos - x * sin


def _clipped(pixels: np.ndarray) -> Image:
    return np.asarray(np.clip(np.rint(pixels), 0, 255), np.uint8)


def halftone(image: Image, *, strength: float, pitch_px: float, angle_deg: float) -> Image:
    """Mix a share of the picture's own clustered-dot print into it (black dots, soft edge)."""
    u, v = _turned(image, angle_deg)
    turn = 2 * np.pi / pitch_px
    screen = 0.5 + 0.25 * (np.cos(turn * u) + np.cos(turn * v))
    ink = cv2.GaussianBlur(image, (0, 0), pitch_px / 3).astype(np.float32) / 255
    printed = 255 * np.clip((ink - screen[..., None]) * 6 + 0.5, 0, 1)
    return _clipped((1 - strength) * image + strength * printed)


def moire(image: Image, *, strength: float, pitch_px: float, angle_deg: float) -> Image:
    """Multiply by a display's grid that is sampled without a filter, so that it aliases."""
    u, v = _turned(image, angle_deg)
    bright = (np.mod(u / pitch_px, 1) < 0.7) & (np.mod(v / pitch_px, 1) < 0.7)
    return _clipped(image * (1 - strength * (1 - bright[..., None].astype(np.float32))))


def white_noise(image: Image, *, strength: float, grey: bool = False) -> Image:
    """Add Gaussian noise of `strength` grey levels, per channel or the same in all."""
    shape = (*image.shape[:2], 1 if grey else 3)
    noise = np.random.default_rng(_SEED).normal(0, strength, shape)
    return _clipped(image + noise)


def film_grain(image: Image, *, strength: float) -> Image:
    """Add grey noise of `strength` grey levels that a Gaussian of 1 pixel has smoothed."""
    noise = np.random.default_rng(_SEED).normal(0, 1, image.shape[:2])
    soft = cv2.GaussianBlur(noise, (0, 0), 1.0)
    return _clipped(image + (strength / soft.std() * soft)[..., None])
