"""Random crops of a set of pictures, each made from the seed and its number alone."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import bicubic_resize
from pgan_toolkit.randomness import generator
from pgan_toolkit.restoration.training.degradation import Degradation
from pgan_toolkit.storage import StoredSource

__all__ = ["CACHE_GIB", "CropPairs", "Pair"]

CACHE_GIB = 4.0
"""Decoded pictures are kept up to this; the others are decoded for each crop."""

_REDUCED_SHARE = 0.5


class Pair(NamedTuple):
    """What a network gets and what it should make of it, uint8 (H, W, 3)."""

    given: Image
    target: Image


class CropPairs:
    """Endless pairs of degraded and clean crops.

    A picture is drawn with a weight of its side (the root of its area): by number alone small
    pictures would be seen too often, by area alone a few large ones. Half of the crops are taken
    from the picture reduced to between `reduced_to` and its whole size, which shows finer detail
    and loses what compression the picture itself had. Then come flips and quarter turns.

    Parameters
    ----------
    source : StoredSource
        The clean pictures. Those smaller than a crop are continued by their mirror image.
    degradation : Degradation
        What is done to them.
    crop_px : int
        Side of a clean crop.
    reduced_to : float
        Above 0, at most 1.
    seed : int
        Pair i of a seed and purpose is always the same.
    purpose : str
        Two purposes share no numbers.
    """

    def __init__(
        self,
        source: StoredSource,
        degradation: Degradation,
        *,
        crop_px: int,
        reduced_to: float = 0.5,
        seed: int,
        purpose: str = "restoration crops",
    ) -> None:
        if len(source) == 0:
            raise DataError("there are no pictures to train on")
        self._source = source
        self._degradation = degradation
        self._crop_px, self._reduced_to = crop_px, reduced_to
        self._seed, self._purpose = seed, purpose
        self._kept: dict[int, Image] = {}
        self._room_bytes = int(CACHE_GIB * 2**30)
        self._shares = self._weights()

    def pair(self, index: int) -> Pair:
        """Make pair number `index`, 0 or more."""
        rng = generator(self._seed, self._purpose, index)
        image = self._image(int(rng.choice(len(self._shares), p=self._shares)))
        clean = _turned(self._crop(image, rng), rng)
        return Pair(*self._degradation.pair(clean, rng))

    def _weights(self) -> NDArray[np.float64]:
        sizes = (self._source.info(index) for index in range(len(self._source)))
        sides = np.array([math.sqrt(size.height * size.width) for size in sizes], np.float64)
        shares: NDArray[np.float64] = np.divide(sides, sides.sum())
        return shares

    def _image(self, index: int) -> Image:
        if index in self._kept:
            return self._kept[index]
        image = self._source[index].image
        if image.nbytes <= self._room_bytes:
            self._room_bytes -= image.nbytes
            self._kept[index] = image
        return image

    def _crop(self, image: Image, rng: np.random.Generator) -> Image:
        size = self._crop_px
        largest = min(image.shape[:2]) / size
        shrink = 1.0
        if largest > 1 and rng.random() < _REDUCED_SHARE:
            shrink = min(1 / rng.uniform(self._reduced_to, 1.0), largest)
        taken = min(round(size * shrink), *image.shape[:2]) if largest > 1 else size
        image = _at_least(image, taken)
        top = int(rng.integers(image.shape[0] - taken + 1))
        left = int(rng.integers(image.shape[1] - taken + 1))
        crop = np.ascontiguousarray(image[top : top + taken, left : left + taken])
        return crop if taken == size else bicubic_resize(crop, width=size, height=size)


def _at_least(image: Image, size: int) -> Image:
    missing = [max(size - side, 0) for side in image.shape[:2]]
    if not any(missing):
        return image
    return np.pad(image, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")


def _turned(image: Image, rng: np.random.Generator) -> Image:
    turns, mirrored = int(rng.integers(4)), rng.random() < 0.5
    turned = np.rot90(image, turns)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)
