"""The pictures that this repository is about, and how its generator draws them."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw"]

SIZE_PX = 32


def draw(count: int, seed: int, *, sharpness: float) -> NDArray[np.uint8]:
    """Draw discs.

    Parameters
    ----------
    count : int
        How many pictures.
    seed : int
        The same seed, the same pictures.
    sharpness : float
        Of the edges, 1 / px: real ones have 4.

    Returns
    -------
    array
        uint8 (count, 3, 32, 32), RGB.
    """
    random = np.random.default_rng(seed)
    ground, disc = random.uniform(0, 255, (2, count, 3, 1, 1))
    x, y = random.uniform(8, 24, (2, count, 1, 1))
    radius_px = random.uniform(4, 12, (count, 1, 1))
    rows, columns = np.mgrid[:SIZE_PX, :SIZE_PX]
    inside = sharpness * (radius_px - np.hypot(columns - x, rows - y))
    share = (1 / (1 + np.exp(-inside)))[:, None]
    noise = random.normal(0, 4, (count, 3, SIZE_PX, SIZE_PX))
    return np.clip(ground + (disc - ground) * share + noise, 0, 255).astype(np.uint8)
