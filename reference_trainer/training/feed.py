"""The reals of each step, and what a step gets that lacks them."""

from collections.abc import Callable

import torch

from pgan_toolkit.errors import DataError
from reference_trainer.configuration import RunSettings
from reference_trainer.division import divide_minibatch
from reference_trainer.reals import RealBatch, RealLoader
from reference_trainer.schedule import Phase
from reference_trainer.training.distributed import World

__all__ = ["Feed"]


class Feed:
    """Takes a step's reals before it begins, so that a damaged picture tears no step in two.

    The process that meets one goes on with blank pictures, which `failure` tells: other processes
    wait for its gradients, and none knows yet that there is something wrong.

    Parameters
    ----------
    loader : RealLoader
        Of this process.
    settings : RunSettings
        Of the run.
    world : World
        This process.

    Attributes
    ----------
    failure : DataError | None
        Of the first picture that could not be read.
    """

    def __init__(self, loader: RealLoader, settings: RunSettings, *, world: World) -> None:
        self._loader, self._settings, self._world = loader, settings, world
        self.failure: DataError | None = None

    def take(self, phase: Phase) -> Callable[[], RealBatch]:
        """Return what gives a step its reals, one minibatch a call."""
        if self.failure is None:
            try:
                count = self._settings.optimization.discriminator_steps
                return iter([next(self._loader) for _ in range(count)]).__next__
            except DataError as error:
                self.failure = error
        blank = self._blank(phase)
        return lambda: blank

    def _blank(self, phase: Phase) -> RealBatch:
        size, device = phase.minibatch_size, self._world.device
        share = divide_minibatch(size, self._settings, world_size=self._world.size).share
        shape = (share, 3, phase.resolution, phase.resolution)
        labels = torch.zeros(share, dtype=torch.int64, device=device)
        return RealBatch(
            torch.zeros(shape, dtype=torch.uint8, device=device),
            labels if self._settings.data.conditional else None,
        )
