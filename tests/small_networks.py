"""Small networks, from settings that name only what a test is about."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from reference_trainer.configuration import (
    DataSettings,
    DiscriminatorSettings,
    GeneratorSettings,
    RunSettings,
    ScheduleSettings,
)
from reference_trainer.networks import Networks, build_networks

SECTIONS: dict[str, Any] = {
    "data": DataSettings,
    "generator": GeneratorSettings,
    "discriminator": DiscriminatorSettings,
    "schedule": ScheduleSettings,
}
SMALL = {
    "resolution": 16,
    "total_kimg": 1,
    "latent_size": 6,
    "g_map_base": 32,
    "g_map_most": 8,
    "d_map_base": 32,
    "d_map_most": 8,
}


def settings_of(**values: Any) -> RunSettings:
    """Sort values into their sections; what is not named is small, or its default."""
    values = SMALL | values
    parts = {
        name: section(
            **{key: value for key, value in values.items() if key in section.__annotations__}
        )
        for name, section in SECTIONS.items()
    }
    return RunSettings(preset="test", **parts)


@pytest.fixture(scope="session")
def build() -> Callable[..., Networks]:
    """Builds networks: `build(resolution=8, channels=1)`."""

    def networks(
        *, channels: int = 3, label_count: int = 0, seed: int = 0, **values: Any
    ) -> Networks:
        return build_networks(
            settings_of(conditional=label_count > 0, **values),
            channels=channels,
            label_count=label_count,
            generator=torch.Generator().manual_seed(seed),
        )

    return networks


@pytest.fixture
def rng() -> torch.Generator:
    """Where a test's own numbers come from."""
    return torch.Generator().manual_seed(1)
