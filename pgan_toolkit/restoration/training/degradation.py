"""What training does to clean pictures, so that the networks learn to undo it.

Compression is libjpeg's own, through Pillow; reduction is the bicubic of the published tables.
Every function takes the generator that it draws from.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging import bicubic_resize, decode_image, encode_jpeg, gaussian_blur

__all__ = ["Degradation", "JpegDegradation", "SuperresDegradation"]

_SUBSAMPLINGS: tuple[Literal["4:2:0", "4:4:4"], ...] = ("4:2:0", "4:4:4")
_BT601 = np.array([0.299, 0.587, 0.114])
_GRID_PX = 8  # of JPEG's blocks


@runtime_checkable
class Degradation(Protocol):
    """Makes what a network gets, and what it should make of it, from a clean picture."""

    def pair(self, clean: Image, rng: np.random.Generator) -> tuple[Image, Image]:
        """Return input and target."""


@dataclass(frozen=True)
class JpegDegradation:
    """Compresses as real pictures are: once or twice, in colour or grey, 4:2:0 or 4:4:4.

    Attributes
    ----------
    quality : tuple of int
        Lowest and highest quality, both included; each is as likely.
    untouched_share : float
        Pictures left as they are, or compressed at quality 96 to 100: they must come through
        unharmed.
    twice_share : float
        Of the others: compressed twice, the second time on another grid of blocks.
    grey_share : float
        Pictures made grey first, as the published tables have them.
    """

    quality: tuple[int, int] = (5, 95)
    untouched_share: float = 0.2
    twice_share: float = 0.2
    grey_share: float = 0.25

    def __post_init__(self) -> None:
        low, high = self.quality
        if not 1 <= low <= high <= 100:
            raise UsageError(f"quality={self.quality}: expected two of 1 to 100, lower first")
        _check_shares(self, "untouched_share", "twice_share", "grey_share")

    def pair(self, clean: Image, rng: np.random.Generator) -> tuple[Image, Image]:
        """Return the compressed and the clean picture, uint8 (H, W, 3) both."""
        if rng.random() < self.grey_share:
            clean = _grey(clean)
        if rng.random() < self.untouched_share:
            return (clean if rng.random() < 0.5 else _compressed(clean, rng, (96, 100))), clean
        if rng.random() < self.twice_share:
            return self._compressed_twice(clean, rng), clean
        return _compressed(clean, rng, self.quality), clean

    def _compressed_twice(self, clean: Image, rng: np.random.Generator) -> Image:
        """Compress on a grid that begins elsewhere, then again: as a picture cropped in between."""
        top, left = rng.integers(_GRID_PX, size=2)
        height, width = clean.shape[:2]
        around = np.pad(clean, ((top, 0), (left, 0), (0, 0)), mode="reflect")
        low, high = self.quality
        once = _compressed(around, rng, (min(max(low, 30), high), high))
        inside = np.ascontiguousarray(once[top : top + height, left : left + width])
        return _compressed(inside, rng, self.quality)


@dataclass(frozen=True)
class SuperresDegradation:
    """Reduces by the scale; a share of the pictures as real cameras and uploads do.

    Attributes
    ----------
    scale : int
        Factor of reduction.
    real_share : float
        Pictures that may get mild blur before, noise and JPEG remains after the reduction; the
        others are reduced by bicubic alone, which is what the published tables measure.
    blurred_share, noisy_share, compressed_share : float
        Of the former, those that get each of the three.
    blur_sigma_px : tuple of float
        Of the Gaussian blur, in pixels of the clean picture.
    noise_sigma : tuple of float
        Of the Gaussian noise, grey levels.
    quality : tuple of int
        Of the JPEG compression.
    """

    scale: int = 4
    real_share: float = 0.25
    blurred_share: float = 0.2
    noisy_share: float = 0.2
    compressed_share: float = 0.8
    blur_sigma_px: tuple[float, float] = (0.3, 2.4)
    noise_sigma: tuple[float, float] = (0.0, 5.0)
    quality: tuple[int, int] = (40, 98)

    def __post_init__(self) -> None:
        _check_shares(self, "real_share", "blurred_share", "noisy_share", "compressed_share")

    def pair(self, clean: Image, rng: np.random.Generator) -> tuple[Image, Image]:
        """Return the reduced picture, uint8 (H / scale, W / scale, 3), and the clean one."""
        real = rng.random() < self.real_share
        shares = np.array([self.blurred_share, self.noisy_share, self.compressed_share])
        blurred, noisy, compressed = rng.random(3) < real * shares
        seen = gaussian_blur(clean, sigma_px=rng.uniform(*self.blur_sigma_px)) if blurred else clean
        height, width = clean.shape[0] // self.scale, clean.shape[1] // self.scale
        small = bicubic_resize(seen, width=width, height=height)
        if noisy:
            noise = rng.normal(0.0, rng.uniform(*self.noise_sigma), small.shape)
            small = np.clip(np.rint(small + noise), 0, 255).astype(np.uint8)
        return (_compressed(small, rng, self.quality) if compressed else small), clean


def _compressed(image: Image, rng: np.random.Generator, quality: tuple[int, int]) -> Image:
    chosen = int(rng.integers(quality[0], quality[1] + 1))
    subsampling = _SUBSAMPLINGS[int(rng.integers(2))]
    data = encode_jpeg(image, quality=chosen, subsampling=subsampling)
    return decode_image(data, name="a training crop")


def _grey(image: Image) -> Image:
    luma = np.rint(image @ _BT601).astype(np.uint8)
    return np.repeat(luma[:, :, None], 3, axis=2)


def _check_shares(settings: object, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(settings, name) <= 1:
            raise UsageError(f"{name}={getattr(settings, name)}: expected 0 to 1")
