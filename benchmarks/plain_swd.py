"""The sliced Wasserstein distance with NumPy and SciPy, step by step: what ours is timed against.

Whole sets of float32 images, one straightforward call a step, patches by directions, as a careful
person would first write it down from the published description.
"""

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

Array = NDArray[np.float32]

KERNEL = (np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256).astype(np.float32)
BATCH = 64


def down(images: Array) -> Array:
    """Blur and keep the even rows and columns of (N, 3, H, W)."""
    return np.asarray(
        scipy.ndimage.convolve(images, KERNEL[None, None], mode="mirror")[:, :, ::2, ::2]
    )


def up(images: Array) -> Array:
    """Put zeros between the samples of (N, 3, H, W) and blur with four times the kernel."""
    count, channels, height, width = images.shape
    spread = np.zeros((count, channels, 2 * height, 2 * width), np.float32)
    spread[:, :, ::2, ::2] = images
    return np.asarray(scipy.ndimage.convolve(spread, 4 * KERNEL[None, None], mode="mirror"))


def pyramid(images: Array) -> list[Array]:
    """Laplacian levels of (N, 3, H, W), down to 16 pixels."""
    levels = []
    while images.shape[2] >= 32:
        coarser = down(images)
        levels.append(images - up(coarser))
        images = coarser
    return [*levels, images]


def cut(level: Array, random: np.random.Generator, *, patches: int = 128) -> Array:
    """Cut (N * patches, 3, 7, 7) out of a level (N, 3, H, W)."""
    count, _, height, width = level.shape
    image = np.repeat(np.arange(count), patches)[:, None, None, None]
    row = random.integers(0, height - 6, count * patches)[:, None, None, None]
    column = random.integers(0, width - 6, count * patches)[:, None, None, None]
    channel, y, x = np.ogrid[:3, :7, :7]
    return np.asarray(level[image, channel, row + y, column + x])


def descriptors(images: NDArray[np.uint8], random: np.random.Generator) -> list[Array]:
    """Cut all patches of a set, and normalise them: (patches, 147) a level."""
    batches = [
        [cut(level, random) for level in pyramid(images[start : start + BATCH].astype(np.float32))]
        for start in range(0, len(images), BATCH)
    ]
    normalised = []
    for pieces in zip(*batches, strict=True):
        level = np.concatenate(pieces)
        level -= level.mean(axis=(0, 2, 3), dtype=np.float64, keepdims=True)
        level /= level.std(axis=(0, 2, 3), dtype=np.float64, keepdims=True)
        normalised.append(level.reshape(len(level), -1))
    return normalised


def distance(real: Array, fake: Array, random: np.random.Generator) -> float:
    """Mean over 4 x 128 directions of the sorted projections' mean absolute difference."""
    repeats = []
    for _ in range(4):
        directions = random.standard_normal((real.shape[1], 128)).astype(np.float32)
        directions /= np.linalg.norm(directions, axis=0)
        a = np.sort(real @ directions, axis=0)
        b = np.sort(fake @ directions, axis=0)
        repeats.append(np.abs(a - b).mean(dtype=np.float64))
    return 1000 * float(np.mean(repeats))


def plain_swd(real: NDArray[np.uint8], fake: NDArray[np.uint8], *, seed: int = 0) -> list[float]:
    """Return the SWD x1e3 of each level and their mean, of uint8 images (N, 3, H, W)."""
    random = np.random.default_rng(seed)
    pairs = zip(descriptors(real, random), descriptors(fake, random), strict=True)
    levels = [distance(a, b, random) for a, b in pairs]
    return [*levels, float(np.mean(levels))]
