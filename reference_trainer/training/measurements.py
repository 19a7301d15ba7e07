"""SWD, MS-SSIM and modes of a generator while it learns, through the core's accumulators."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import torch
from torch import Tensor

from pgan_toolkit.errors import UsageError
from pgan_toolkit.evaluation import ImageStream, StreamSettings, choose_images
from pgan_toolkit.evaluation.digits import bundled_digits, load_classifier
from pgan_toolkit.metrics import (
    Accumulator,
    DiscreteModes,
    MsSsim,
    Result,
    SwdSettings,
    SwdStatistics,
    compare_swd,
)
from pgan_toolkit.storage import StoredSource
from reference_trainer.configuration import OutputSettings
from reference_trainer.reals import reduce_images
from reference_trainer.sampling import PICTURES_OF_A_RUN

__all__ = ["Measurements", "PicturesOfSeeds", "check_measurable"]

_SMALLEST_PX = 16
"""Of SWD and MS-SSIM: their pyramids go no further down."""
_DIGITS_PX = (28, 32)

PicturesOfSeeds = Callable[[Sequence[int]], Tensor]
"""Pictures of these seeds, uint8 (N, 3, R, R), at the run's final resolution."""

_AT_ONCE = 32
_SEED = 0  # the commands' default
_NOTHING = "set metrics_kimg=0 to measure nothing"


@dataclass(frozen=True)
class _Swd:
    """The real side, cut once; every measurement is compared with the same patches of it."""

    real: SwdStatistics
    fake: SwdStatistics
    device: torch.device

    def update(self, images: Tensor, *, first: int) -> None:
        self.fake.update(images, first=first)

    def compute(self) -> Result:
        return compare_swd(self.real, self.fake, device=self.device)


def check_measurable(settings: OutputSettings, *, resolution: int, pictures: int) -> None:
    """See that what is to be measured can be, before a run begins.

    Parameters
    ----------
    settings : OutputSettings
        What is measured, if anything is.
    resolution : int
        Side of the pictures compared, pixels.
    pictures : int
        How many reals there are.

    Raises
    ------
    UsageError
        A metric takes other sizes, or there is one real alone.
    """
    if not settings.metrics_kimg:
        return
    for name in settings.metrics:
        if name == "modes" and resolution not in _DIGITS_PX:
            raise UsageError(
                f"metrics: modes are of stacked digits, 28 or 32 pixels a side, not {resolution}: "
                f"{_without(name, settings)}"
            )
        if name != "modes" and resolution < _SMALLEST_PX:
            raise UsageError(
                f"metrics: {name} takes pictures of {_SMALLEST_PX} pixels or more, not "
                f"{resolution}: {_without(name, settings)}"
            )
    if pictures < 2:
        raise UsageError(f"metrics: a real picture alone cannot be measured: {_NOTHING}")


def _without(name: str, settings: OutputSettings) -> str:
    others = [other for other in settings.metrics if other != name]
    return f"leave it out (--set metrics='{json.dumps(others)}'), or {_NOTHING}"


class Measurements:
    """What is measured of a run, time and again.

    A measurement takes those pictures of reals and of fakes that the commands take:
    `pgan-toolkit swd real/ RUN --images N` gives the same number.

    Parameters
    ----------
    settings : OutputSettings
        What is measured, of how many pictures.
    source : StoredSource
        The reals.
    resolution : int
        Side of the pictures compared, pixels: the run's final one.
    device : torch.device
        Where to compute.

    """

    def __init__(
        self,
        settings: OutputSettings,
        *,
        source: StoredSource,
        resolution: int,
        device: torch.device,
    ) -> None:
        self._settings = settings
        self._source = source
        self._resolution = resolution
        self._device = device
        self._real: SwdStatistics | None = None

    @property
    def images(self) -> int:
        """Pictures of each side: no more than there are reals where both are compared."""
        most = len(self._source) if "swd" in self._settings.metrics else PICTURES_OF_A_RUN
        return min(self._settings.metrics_images, most, PICTURES_OF_A_RUN)

    def measure(
        self, sample: PicturesOfSeeds, *, given_up: Callable[[], bool] = lambda: False
    ) -> dict[str, Result] | None:
        """Return every metric's result, by its name; None where it was given up.

        Parameters
        ----------
        sample : callable
            Gives the pictures of seeds.
        given_up : callable
            Asked every so often; where it is true, the measurement ends.
        """
        if "swd" in self._settings.metrics and self._real is None:
            self._real = self._cut_reals(given_up)
        metrics = dict(self._accumulators())
        seeds = choose_images(PICTURES_OF_A_RUN, self.images, seed=_SEED)
        for start in range(0, self.images, _AT_ONCE):
            if given_up():  # in cutting the reals, too
                return None
            pictures = sample(seeds[start : start + _AT_ONCE]).to(self._device)
            for metric in metrics.values():
                metric.update(pictures, first=start)
        return {name: metric.compute() for name, metric in metrics.items()}

    def _accumulators(self) -> Iterator[tuple[str, "Accumulator | _Swd"]]:
        for name in self._settings.metrics:
            if name == "ms-ssim":
                yield name, MsSsim()
            elif name == "modes":
                classifier = load_classifier(bundled_digits(), device=self._device)
                yield name, DiscreteModes(classifier, images=self.images, repeats=1)
            elif self._real is not None:
                fake = SwdStatistics(self._real.settings, side="fake")
                yield name, _Swd(self._real, fake, self._device)

    def _cut_reals(self, given_up: Callable[[], bool]) -> SwdStatistics | None:
        real = SwdStatistics(SwdSettings(seed=_SEED))
        reading = StreamSettings(images=self.images, seed=_SEED, mode="quiet")
        with closing(ImageStream(self._source, reading).batches()) as batches:
            for batch in batches:
                if given_up():
                    return None
                reduced = reduce_images(batch.images.numpy(), resolution=self._resolution)
                real.update(torch.from_numpy(reduced).to(self._device), first=batch.first)
        return real
