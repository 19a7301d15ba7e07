"""What CI asks for pictures: `--generator tiny_gan.sampling:generate`."""

import numpy as np
from numpy.typing import NDArray

from tiny_gan.pictures import draw

__all__ = ["generate", "generate_blurred"]


def generate(count: int, seed: int) -> NDArray[np.uint8]:
    """Return so many pictures, uint8 (count, 3, 32, 32); the same seed gives the same."""
    return draw(count, seed, sharpness=3.0)


def generate_blurred(count: int, seed: int) -> NDArray[np.uint8]:
    """Return what the generator would draw after a change for the worse."""
    return draw(count, seed, sharpness=0.4)
