"""Both networks of a run, from its settings."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from pgan_toolkit.errors import UsageError
from reference_trainer.configuration import Architecture, RunSettings
from reference_trainer.networks.discriminator import Discriminator
from reference_trainer.networks.generator import Generator
from reference_trainer.networks.mnist import (
    pooled_discriminator,
    pooled_generator,
    strided_discriminator,
    strided_generator,
)
from reference_trainer.networks.recipes import Plan
from reference_trainer.networks.table2 import table2_discriminator, table2_generator

__all__ = ["Networks", "build_networks"]

_Recipe = tuple[Callable[[Plan], Generator], Callable[[Plan], Discriminator]]
_RECIPES: dict[Architecture, _Recipe] = {
    "table2": (table2_generator, table2_discriminator),
    "mnist-pooled": (pooled_generator, pooled_discriminator),
    "mnist-strided": (strided_generator, strided_discriminator),
}


@dataclass(frozen=True)
class Networks:
    """What is trained.

    Attributes
    ----------
    generator : Generator
    discriminator : Discriminator
    """

    generator: Generator
    discriminator: Discriminator


def build_networks(
    settings: RunSettings,
    *,
    channels: int = 3,
    label_count: int = 0,
    generator: torch.Generator,
) -> Networks:
    """Build both networks as they are before training.

    Inside `with torch.device("meta")` they have shapes alone, which is enough to `describe` them.
    All blocks are there from the start. Pictures come out of, and go into, the resolutions that the
    schedule has: from `first_resolution` on if the run grows, else the last alone.

    Parameters
    ----------
    settings : RunSettings
        The run's.
    channels : int
        Of the pictures.
    label_count : int
        Kinds of label that the networks learn; 0 unless the run is conditional.
    generator : torch.Generator
        Of the CPU. All weights are drawn from it, G's first; biases are 0.

    Returns
    -------
    Networks
        float32, in training mode, on the CPU.

    Raises
    ------
    UsageError
        A number is too small, or labels do not fit the settings.
    """
    if channels < 1:
        raise UsageError(f"channels={channels}: expected 1 or more")
    if (label_count > 0) != settings.data.conditional or label_count < 0:
        wanted = "1 or more" if settings.data.conditional else "0"
        raise UsageError(
            f"label_count={label_count} and conditional={settings.data.conditional}: expected "
            f"{wanted}; a conditional run needs pictures with labels, another takes none"
        )
    if generator.device.type != "cpu":
        raise UsageError(f"weights drawn on {generator.device}: expected a generator of the CPU")
    plan = Plan(settings, channels, label_count, generator)
    make_generator, make_discriminator = _RECIPES[settings.generator.architecture]
    return Networks(make_generator(plan), make_discriminator(plan))
