"""Stacked MNIST: three random digits in the three channels of a picture."""

from collections.abc import Iterator

import numpy as np

from pgan_toolkit.errors import UsageError
from pgan_toolkit.evaluation.digits.data import Digits
from pgan_toolkit.randomness import generator
from pgan_toolkit.storage import Record

__all__ = ["STACKED_SIZES_PX", "stacked_digits"]

STACKED_SIZES_PX = (28, 32)
"""Sides that a stacked digit can have: 32 is 28 with 2 black pixels on each side."""


def stacked_digits(
    digits: Digits, *, images: int, seed: int = 0, size_px: int = 28
) -> Iterator[Record]:
    """Draw pictures of three digits each, independently and with replacement.

    Picture i depends on the seed and on i alone, so that a smaller set begins a larger one.

    Parameters
    ----------
    digits : Digits
        Where they are drawn from.
    images : int
        How many pictures.
    seed : int
        Of the draw, 0 or more.
    size_px : {28, 32}
        Side of a picture.

    Yields
    ------
    Record
        Keys "00000/img00000000" and so on, 1000 a folder; the label is R + 10 G + 100 B.

    Raises
    ------
    UsageError
        Another size, fewer than one picture, or a negative seed.
    """
    if size_px not in STACKED_SIZES_PX:
        raise UsageError(f"--size {size_px}: expected 28 or 32")
    if images < 1 or seed < 0:
        raise UsageError(f"{images} images of seed {seed}: expected 1 or more, and 0 or more")
    return _drawn(digits, images=images, seed=seed, border_px=(size_px - 28) // 2)


def _drawn(digits: Digits, *, images: int, seed: int, border_px: int) -> Iterator[Record]:
    border = ((border_px, border_px), (border_px, border_px), (0, 0))
    for index in range(images):
        chosen = generator(seed, "stacked digits", index).integers(len(digits), size=3)
        image = np.pad(digits.images[chosen].transpose(1, 2, 0), border)
        label = int(digits.labels[chosen] @ np.array([1, 10, 100]))
        key = f"{index // 1000:05d}/img{index:08d}"
        yield Record(key, np.ascontiguousarray(image), label)
