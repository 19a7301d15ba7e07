"""The paper's walk through the latent space: noise in time, smoothed into a seamless loop."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import UsageError
from pgan_toolkit.randomness import generator
from reference_trainer.sampling.grids import grid_picture
from reference_trainer.sampling.sampler import Sampler

__all__ = ["latent_walk", "walk_frames"]

_LEAST_PX = 256


def latent_walk(
    frames: int, *, walkers: int, latent_size: int, sigma_frames: float, seed: int
) -> NDArray[np.float32]:
    """Return the latent vectors of every frame of a film that ends where it began.

    Each walker's vectors are drawn from N(0, 1) for every frame, smoothed in time by a Gaussian
    that wraps around (the paper's video: a sigma of 45 frames at 60 Hz), and divided by their root
    mean square. A walker's way depends on the seed and its number alone, not on how many others
    there are. A loop of few sigmas hardly moves, and sigma may not be longer than the loop.

    Parameters
    ----------
    frames : int
        Of the loop.
    walkers : int
        Pictures in a frame.
    latent_size : int
        Numbers in a vector.
    sigma_frames : float
        Of the Gaussian; more is slower.
    seed : int
        0 or more.

    Returns
    -------
    array
        float32 (frames, walkers, latent_size), each vector of root mean square 1.

    Raises
    ------
    UsageError
        There are no frames, or sigma is not above 0, or beyond the loop's length.
    """
    if frames < 1:
        raise UsageError(f"a walk of {frames} frames: expected 1 or more")
    if not 0 < sigma_frames < math.inf:
        raise UsageError(f"a walk smoothed over {sigma_frames} frames: expected more than 0")
    if sigma_frames > frames:
        raise UsageError(
            f"a walk of {frames:,} frames smoothed over {sigma_frames:,g}: expected no more than "
            "the loop has; make it longer (--seconds), or smooth less (--smoothing-seconds)"
        )
    ways = np.empty((frames, walkers, latent_size), np.float32)
    for walker in range(walkers):
        noise = generator(seed, "latent walk", walker).standard_normal((frames, latent_size))
        ways[:, walker] = _unit_rms(_smoothed(noise, sigma_frames))
    return ways


def _smoothed(noise: NDArray[np.float64], sigma_frames: float) -> NDArray[np.float64]:
    smooth: NDArray[np.float64] = gaussian_filter1d(noise, sigma_frames, axis=0, mode="wrap")
    return smooth


def _unit_rms(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    rms: NDArray[np.float64] = np.sqrt(np.mean(vectors**2, axis=-1, keepdims=True))
    return vectors / rms


def walk_frames(
    sampler: Sampler, ways: NDArray[np.float32], *, columns: int, label: int | None = None
) -> Iterator[Image]:
    """Draw the pictures of a walk, one frame after another.

    Parameters
    ----------
    sampler : Sampler
        What draws them.
    ways : float32 array
        (frames, walkers, latent_size), of `latent_walk`.
    columns : int
        Pictures in a row of a frame.
    label : int | None
        The class of all, where the run has labels; None: the walkers take the classes in turn.

    Yields
    ------
    Image
        uint8 (H, W, 3): a grid, its pixels replicated where it is smaller than 256.
    """
    walkers = ways.shape[1]
    labels = sampler.labels(range(walkers), label=label)
    for latents in ways:
        pictures = sampler.pictures(torch.from_numpy(latents), labels)
        page = grid_picture(pictures, columns, walkers // columns)
        factor = max(1, -(-_LEAST_PX // min(page.shape[:2])))
        yield page.repeat(factor, axis=0).repeat(factor, axis=1)
