"""The networks of Table 4, in both readings."""

import pytest
import torch

from reference_trainer.networks import describe

POOLED = {
    "architecture": "mnist-pooled",
    "resolution": 32,
    "growing": False,
    "latent_size": 64,
    "leak": 0.3,
    "output": "tanh",
    "g_map_base": 128,
    "g_map_most": 64,
    "g_normalization": "batch",
    "d_map_most": 64,
    "d_normalization": "batch",
    "minibatch_statistic": "none",
}
STRIDED = POOLED | {
    "architecture": "mnist-strided",
    "resolution": 28,
    "latent_size": 256,
    "g_activation": "relu",
    "normalize_latents": False,
}


def _parameters(network) -> int:
    return sum(value.numel() for value in network.parameters())


def _rows(network) -> list[tuple[str, tuple[int, ...]]]:
    return [(row.title, row.shape) for row in describe(network)]


@pytest.mark.parametrize(("base", "parameters"), [(32, 571), (64, 1861)])
def test_the_discriminators_have_the_published_number_of_parameters(
    build, base: int, parameters: int
) -> None:
    """A quarter and a half of G's maps; a weight's bias is the normalisation's shift."""
    assert _parameters(build(**POOLED, d_map_base=base).discriminator) == parameters
    # PacGAN's have the same, but that their convolutions have biases, to no effect: 2 + 4 + 8.
    assert _parameters(build(**STRIDED, d_map_base=base).discriminator) == parameters


def test_the_pooled_networks(build) -> None:
    networks = build(**POOLED, d_map_base=32)
    assert _rows(networks.generator) == [
        ("Conv 4x4", (64, 4, 4)),
        ("Upsample", (64, 8, 8)),
        ("Conv 3x3", (32, 8, 8)),
        ("Upsample", (32, 16, 16)),
        ("Conv 3x3", (16, 16, 16)),
        ("Upsample", (16, 32, 32)),
        ("Conv 3x3", (8, 32, 32)),
        ("Conv 3x3", (3, 32, 32)),
    ]
    assert _rows(networks.discriminator) == [
        ("Conv 3x3", (2, 32, 32)),
        ("Downsample", (2, 16, 16)),
        ("Conv 3x3", (4, 16, 16)),
        ("Downsample", (4, 8, 8)),
        ("Conv 3x3", (8, 8, 8)),
        ("Downsample", (8, 4, 4)),
        ("Fully-connected", (1,)),
    ]


def test_the_strided_networks(build) -> None:
    networks = build(**STRIDED, d_map_base=64)
    strided, transposed = "Conv 3x3, stride 2", "Transposed conv 3x3, stride 2"
    assert _rows(networks.generator) == [
        ("Conv 4x4", (64, 4, 4)),
        (transposed, (32, 7, 7)),
        (transposed, (16, 14, 14)),
        (transposed, (8, 28, 28)),
        ("Conv 3x3", (3, 28, 28)),
    ]
    assert _rows(networks.discriminator) == [
        (strided, (4, 14, 14)),
        (strided, (8, 7, 7)),
        (strided, (16, 4, 4)),
        ("Fully-connected", (1,)),
    ]


@pytest.mark.parametrize("resolution", [4, 8, 16, 32])
def test_the_growing_pooled_networks_at_every_resolution(build, rng, resolution: int) -> None:
    networks = build(**POOLED | {"growing": True, "minibatch_statistic": "stddev"}, d_map_base=32)
    assert networks.discriminator.resolutions == (4, 8, 16, 32)
    images = networks.generator(torch.randn(4, 64, generator=rng), resolution=resolution)
    assert images.shape == (4, 3, resolution, resolution)
    assert networks.discriminator(images).scores.shape == (4,)


def test_smaller_pictures_enter_as_the_maps_of_the_block_above(build) -> None:
    network = build(**POOLED | {"growing": True}, d_map_base=32).discriminator
    entered = {size: layer.weight.shape[0] for size, layer in network.from_rgb.items()}
    assert entered == {"16": 2, "8": 4, "4": 8}


@pytest.mark.parametrize("changes", [POOLED, STRIDED])
def test_they_learn_from_a_minibatch(build, rng, changes) -> None:
    networks = build(**changes, d_map_base=32)
    latents = torch.randn(4, changes["latent_size"], generator=rng)
    images = networks.generator(latents, resolution=changes["resolution"])
    assert float(images.detach().abs().max()) <= 1
    networks.discriminator(images).scores.sum().backward()
    values = [*networks.generator.parameters(), *networks.discriminator.parameters()]
    assert all(value.grad is not None and value.grad.isfinite().all() for value in values)
