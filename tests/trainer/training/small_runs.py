"""Small runs for the tests of the step: settings, networks and reals."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reference_trainer.configuration.settings import (
    DataSettings,
    DiscriminatorSettings,
    GeneratorSettings,
    LossSettings,
    OptimizationSettings,
    RunSettings,
    ScheduleSettings,
)
from reference_trainer.networks import build_networks
from reference_trainer.schedule import Phase, phase_at
from reference_trainer.training.distributed import World
from reference_trainer.training.step import TrainingStep

STABLE, FADING = 0, 1500


@dataclass(frozen=True)
class SmallReals:
    images: Tensor
    labels: Tensor | None = None


def small_settings(**changes: object) -> RunSettings:
    """Of 8 pixels; each number goes to the section that has it.

    Adam's epsilon is 1 so that it is smooth: with the paper's, a rounding error of a gradient near
    0 can turn an update around.
    """
    settings = RunSettings(
        preset="test",
        data=DataSettings(resolution=8),
        generator=GeneratorSettings(latent_size=8, g_map_base=32, g_map_most=8),
        discriminator=DiscriminatorSettings(
            d_map_base=32, d_map_most=8, minibatch_statistic="none"
        ),
        loss=LossSettings(),
        optimization=OptimizationSettings(epsilon=1.0, learning_rate=0.5),
        schedule=ScheduleSettings(total_kimg=4.0, stable_kimg=1.0, fade_kimg=1.0, minibatch_size=8),
    )
    for name, value in changes.items():
        section = next(
            section
            for section in (
                "data", "generator", "discriminator", "loss", "optimization", "schedule",
            )
            if hasattr(getattr(settings, section), name)
        )  # fmt: skip
        part = replace(getattr(settings, section), **{name: value})
        settings = replace(settings, **{section: part})
    return settings


def small_step(
    settings: RunSettings, *, world: World | None = None, labels: int = 0, seed: int = 0
):
    networks = build_networks(
        settings, label_count=labels, generator=torch.Generator().manual_seed(seed)
    )
    return TrainingStep(networks, settings, world=world or World(), label_counts=(1,) * labels)


def reals_of(
    phase: Phase, *, first: int = 0, world: World | None = None, labels: int = 0
) -> Callable[[], SmallReals]:
    """Give minibatch after minibatch, and of each the rows of this process."""
    world = world or World()
    count = first

    def following() -> SmallReals:
        nonlocal count
        numbers = torch.Generator().manual_seed(count)
        count += 1
        shape = (phase.minibatch_size, 3, phase.resolution, phase.resolution)
        images = torch.randint(256, shape, generator=numbers, dtype=torch.uint8)
        kinds = torch.randint(labels, shape[:1], generator=numbers) if labels else None
        rows = world.rows(phase.minibatch_size // world.size)
        return SmallReals(images[rows], None if kinds is None else kinds[rows])

    return following


def trained(
    settings: RunSettings,
    *,
    shown: int = FADING,
    steps: int = 3,
    world: World | None = None,
    labels: int = 0,
) -> tuple[TrainingStep, dict[str, float]]:
    """Take a few steps in the phase after so many reals; also return the last one's losses."""
    step = small_step(settings, world=world, labels=labels)
    phase = phase_at(shown, settings)
    reals = reals_of(phase, world=world, labels=labels)
    values: dict[str, Tensor] = {}
    for number in range(steps):
        values = step.run(phase, step=number, reals=reals)
    return step, {name: value.item() for name, value in values.items()}


def weights_of(step: TrainingStep) -> dict[str, Tensor]:
    """All weights and buffers, the average's too."""
    return {
        f"{part}.{name}": value.clone()
        for part in ("generator", "discriminator", "generator_ema")
        for name, value in getattr(step, part).state_dict().items()
    }
