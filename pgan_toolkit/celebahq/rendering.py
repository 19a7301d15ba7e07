"""What makes a crop and its score of a decoded photograph: on the host, or on a torch device."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from pgan_toolkit.arrays import Image, Landmarks
from pgan_toolkit.celebahq.quality import quality_score
from pgan_toolkit.celebahq.recipe import Profile, render_crop
from pgan_toolkit.errors import UsageError
from pgan_toolkit.restoration import Restorer

__all__ = [
    "HostRenderer",
    "Pipeline",
    "PipelineChoice",
    "Rendered",
    "Renderer",
    "open_renderer",
    "resolve_pipeline",
    "timed",
]

Pipeline = Literal["host", "device"]
"""NumPy and OpenCV around the nets; or all in torch from the restored part to the score."""
PipelineChoice = Literal["auto", "host", "device"]


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


def open_renderer(
    profile: Profile, restorer: Restorer, *, pipeline: Pipeline, output_size: int
) -> Renderer:
    """Return a renderer; "device" means the restorer's."""
    if pipeline == "host":
        return HostRenderer(profile, restorer, output_size=output_size)
    from pgan_toolkit.celebahq.on_device import DeviceRenderer
    from pgan_toolkit.restoration.nets import NetRestorer

    if not isinstance(restorer, NetRestorer):
        raise _without_nets(restorer.identity)
    return DeviceRenderer(profile, restorer, output_size=output_size)


def resolve_pipeline(
    choice: PipelineChoice, *, profile: Profile, restorer_spec: str, device: str
) -> Pipeline:
    """Say what "auto" means: the device for networks on a GPU and the box filter, else the host.

    Raises
    ------
    UsageError
        The device is asked for, and the profile or the restorer has no such path.
    """
    boxes, nets = profile.final_filter == "box", restorer_spec != "lanczos"
    if choice == "auto":
        return "device" if device.startswith("cuda") and boxes and nets else "host"
    if choice == "device" and not nets:
        raise _without_nets(restorer_spec)
    if choice == "device" and not boxes:
        raise UsageError(
            f"--pipeline device: profile {profile.name} ends in a Lanczos filter, which is on the "
            "host only; use auto or host"
        )
    return choice


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Record how long the block takes."""
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start


def _without_nets(restorer: str) -> UsageError:
    return UsageError(
        f"--pipeline device: the {restorer} restorer runs on the host only; use auto or host"
    )
