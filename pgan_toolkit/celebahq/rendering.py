"""What makes a crop and its score of a decoded photograph, and does so by NumPy and OpenCV."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pgan_toolkit.arrays import Image, Landmarks
from pgan_toolkit.celebahq.quality import quality_score
from pgan_toolkit.celebahq.recipe import Profile, render_crop
from pgan_toolkit.restoration import Restorer

__all__ = [
    "HostRenderer",
    "Rendered",
    "Renderer",
    "timed",
]


@dataclass(frozen=True, eq=False)
class Rendered:
    """A crop with its score.

    Attributes
    ----------
    crop : Image
        uint8 (size, size, 3).
    score : float
        Its quality.
    seconds : dict
        Stage -> how long it took.
    """

    crop: Image
    score: float
    seconds: dict[str, float]


@runtime_checkable
class Renderer(Protocol):
    """Makes crops; several threads may ask at once."""

    def render(self, image: Image, landmarks: Landmarks) -> Image:
        """Return the crop, uint8 (size, size, 3), of a photograph's face."""

    def render_scored(self, image: Image, landmarks: Landmarks) -> Rendered:
        """Return the same crop with its score."""


class HostRenderer:
    """The recipe by NumPy and OpenCV; the restorer alone may be elsewhere."""

    def __init__(self, profile: Profile, restorer: Restorer, *, output_size: int) -> None:
        self._profile, self._restorer, self._output_size = profile, restorer, output_size

    def render(self, image: Image, landmarks: Landmarks) -> Image:
        """Return the crop: see `render_crop`."""
        return render_crop(
            image,
            landmarks,
            profile=self._profile,
            restorer=self._restorer,
            output_size=self._output_size,
        )

    def render_scored(self, image: Image, landmarks: Landmarks) -> Rendered:
        """Return the crop with its `quality_score`."""
        seconds: dict[str, float] = {}
        with timed(seconds, "render"):
            crop = self.render(image, landmarks)
        with timed(seconds, "score"):
            score = quality_score(crop)
        return Rendered(crop, score, seconds)


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Record how long the block takes."""
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
