"""The networks that presets lead to have the published numbers of parameters."""

import pytest
import torch

from reference_trainer.configuration import load_preset, preset_names
from reference_trainer.networks import build_networks

PARAMETERS = {
    "celebahq-1024": (23_079_115, 23_087_249),
    "table1-g": (13_629_810, 13_636_897),
    "mnist1k-half-wgan-gp": (None, 1861),
    "mnist1k-quarter-wgan-gp": (None, 571),
}
"""Of G and D."""


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name: str) -> None:
    networks = build_networks(load_preset(name), generator=torch.Generator().manual_seed(0))
    for network, expected in zip(
        (networks.generator, networks.discriminator), PARAMETERS[name], strict=True
    ):
        if expected is not None:
            assert sum(weight.numel() for weight in network.parameters()) == expected


@pytest.mark.parametrize(
    "name", [name for name in preset_names() if name.startswith(("mnist1k-", "smoke"))]
)
def test_small_networks_take_each_other(name: str) -> None:
    settings = load_preset(name)
    labels = torch.tensor([0, 1]) if settings.data.conditional else None
    networks = build_networks(
        settings, label_count=0 if labels is None else 2, generator=torch.Generator().manual_seed(0)
    )
    latents = torch.ones(2, settings.generator.latent_size)
    side = settings.data.resolution
    with torch.no_grad():
        images = networks.generator(latents, resolution=side, labels=labels)
        critique = networks.discriminator(images)
    assert images.shape == (2, 3, side, side)
    assert critique.scores.shape == (2,)
    assert (critique.label_logits is None) == (labels is None)
