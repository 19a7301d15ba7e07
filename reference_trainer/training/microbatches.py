"""A process's share of a minibatch, cut into what it works on at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from pgan_toolkit.errors import DataError
from reference_trainer.configuration.settings import RunSettings
from reference_trainer.division import divide_minibatch
from reference_trainer.reals.reduction import cross_fade
from reference_trainer.schedule import Phase
from reference_trainer.training.distributed import World
from reference_trainer.training.latents import Draws

__all__ = ["Microbatch", "Reals", "cut"]


@runtime_checkable
class Reals(Protocol):
    """Real pictures of one process for one update of D."""

    @property
    def images(self) -> Tensor:
        """uint8 tensor (n, C, r, r) on the device of the step."""

    @property
    def labels(self) -> Tensor | None:
        """int64 tensor (n,) there, or None."""


@dataclass(frozen=True)
class Microbatch:
    """Some of the pictures of a minibatch, and what is random in them.

    Attributes
    ----------
    part : float
        How much of the process's share of the minibatch it is, 0 to 1.
    latents : float tensor (N, latent size)
        Of its fakes.
    labels : int64 tensor (N,) | None
        Of its fakes.
    mixing : float tensor (N,) | None
        Where between real and fake the penalty is taken; None where there are no reals.
    reals : float tensor (N, C, r, r) | None
        About -1 to 1, cross-faded; None where only G learns.
    real_labels : int64 tensor (N,) | None
        Of the reals.
    """

    part: float
    latents: Tensor
    labels: Tensor | None
    mixing: Tensor | None = None
    reals: Tensor | None = None
    real_labels: Tensor | None = None


def cut(
    phase: Phase,
    settings: RunSettings,
    *,
    world: World,
    update: int,
    label_counts: Sequence[int],
    reals: Reals | None,
) -> Iterator[Microbatch]:
    """Give the microbatches of one update.

    Parameters
    ----------
    phase : Phase
        What holds for the step.
    settings : RunSettings
        Of the run.
    world : World
        This process.
    update : int
        Number of the update of this network.
    label_counts : sequence of int
        Reals of each label, as often as which fakes have it; empty: no labels.
    reals : Reals | None
        Of this process, where D learns.

    Raises
    ------
    UsageError
        The minibatch does not divide over the processes.
    DataError
        The reals do not fit the phase.
    """
    division = divide_minibatch(phase.minibatch_size, settings, world_size=world.size)
    network: Literal["D", "G"] = "G" if reals is None else "D"
    draws = Draws(
        seed=settings.seed,
        update=update,
        minibatch_size=phase.minibatch_size,
        rows=world.rows(division.share),
        device=world.device,
    )
    latents = draws.latents(f"latents of {network}", settings.generator.latent_size)
    labels = draws.labels(f"labels of {network}", label_counts)
    mixing = None if reals is None else draws.uniform("mixing of reals and fakes")
    if reals is not None:
        _check(reals, division.share, phase.resolution)
    first = 0
    for size in division.microbatches:
        rows = slice(first, first + size)
        first += size
        yield Microbatch(
            part=size / division.share,
            latents=latents[rows],
            labels=None if labels is None else labels[rows],
            mixing=None if mixing is None else mixing[rows],
            reals=None if reals is None else _seen(reals.images[rows], phase.alpha),
            real_labels=None if reals is None or reals.labels is None else reals.labels[rows],
        )


def _check(reals: Reals, share: int, resolution: int) -> None:
    count, _, *size = reals.images.shape
    if (count, *size) != (share, resolution, resolution):
        raise DataError(
            f"reals: got {tuple(reals.images.shape)}; expected {share} of {resolution}x{resolution}"
        )


def _seen(images: Tensor, alpha: float) -> Tensor:
    """Real pictures as D sees them: -1 to 1, and no sharper than fakes while a block fades in."""
    return cross_fade(images.to(torch.float32) / 127.5 - 1, alpha)
