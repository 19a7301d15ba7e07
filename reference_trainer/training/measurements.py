"""SWD, MS-SSIM and modes of a generator while it learns, through the core's accumulators."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import torch
from torch import Tensor

from pgan_toolkit.errors import DataError
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
    swd_levels,
)
from pgan_toolkit.storage import StoredSource
from reference_trainer.configuration import OutputSettings
from reference_trainer.reals import reduce_images
from reference_trainer.sampling import PICTURES_OF_A_RUN

__all__ = ["Measurements", "PicturesOfSeeds"]

PicturesOfSeeds = Callable[[Sequence[int]], Tensor]
"""Pictures of these seeds, uint8 (N, 3, R, R), at the run's final resolution."""

_AT_ONCE = 32
_SEED = 0  # the commands' default


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

    Raises
    ------
    DataError
        Pictures of that resolution have no SWD.
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
        if "swd" in settings.metrics and settings.metrics_kimg:
            swd_levels(resolution, resolution)
        if min(settings.metrics_images, len(source)) < 2:
            raise DataError(f"{source.path}: 1 picture; measurements take 2 or more")

    @property
    def images(self) -> int:
        """Pictures of each side: no more than there are reals where both are compared."""
        if "swd" in self._settings.metrics:
            return min(self._settings.metrics_images, len(self._source))
        return self._settings.metrics_images

    def measure(self, sample: PicturesOfSeeds) -> dict[str, Result]:
        """Return every metric's result, by its name."""
        metrics = dict(self._accumulators())
        seeds = choose_images(PICTURES_OF_A_RUN, self.images, seed=_SEED)
        for start in range(0, self.images, _AT_ONCE):
            pictures = sample(seeds[start : start + _AT_ONCE]).to(self._device)
            for metric in metrics.values():
                metric.update(pictures, first=start)
        return {name: metric.compute() for name, metric in metrics.items()}

    def _accumulators(self) -> Iterator[tuple[str, "Accumulator | _Swd"]]:
        for name in self._settings.metrics:
            if name == "swd":
                real = self._real = self._real or self._cut_reals()
                yield name, _Swd(real, SwdStatistics(real.settings, side="fake"), self._device)
            elif name == "ms-ssim":
                yield name, MsSsim()
            else:
                classifier = load_classifier(bundled_digits(), device=self._device)
                yield name, DiscreteModes(classifier, images=self.images, repeats=1)

    def _cut_reals(self) -> SwdStatistics:
        real = SwdStatistics(SwdSettings(seed=_SEED))
        reading = StreamSettings(images=self.images, seed=_SEED, mode="quiet")
        with closing(ImageStream(self._source, reading).batches()) as batches:
            for batch in batches:
                reduced = reduce_images(batch.images.numpy(), resolution=self._resolution)
                real.update(torch.from_numpy(reduced).to(self._device), first=batch.first)
        return real
