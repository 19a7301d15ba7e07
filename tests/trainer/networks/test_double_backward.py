"""The gradient penalty needs the gradient of a gradient: of every kind of D, to all its weights."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call

TINY = {"d_map_base": 16, "d_map_most": 3, "channels": 1}
POOLED = TINY | {"architecture": "mnist-pooled", "growing": False}
VARIANTS = {
    "stddev": TINY | {"stddev_group": 2},
    "whole minibatch": TINY | {"stddev_group": 0},
    "discrimination": TINY | {"minibatch_statistic": "discrimination"},
    "layer": TINY | {"d_normalization": "layer", "weight_scaling": "he"},
    "batch": TINY | {"d_normalization": "batch"},
    "labels": TINY | {"label_count": 2},
    "pooled": POOLED | {"d_normalization": "batch", "minibatch_statistic": "none"},
    "pooled, stddev": POOLED | {"growing": True},
    "strided": POOLED
    | {"architecture": "mnist-strided", "resolution": 28, "d_map_base": 32}
    | {"d_normalization": "batch", "minibatch_statistic": "none"},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_gradients_and_their_gradients(build, rng, name: str) -> None:
    network = build(**({"resolution": 8} | VARIANTS[name])).discriminator.double()
    size = network.resolutions[-1]
    alpha = 0.6 if len(network.resolutions) > 1 else 1.0
    images = torch.randn(4, 1, size, size, generator=rng, dtype=torch.float64)
    names, values = zip(*network.named_parameters(), strict=True)

    def outputs(images: torch.Tensor, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        given = dict(zip(names, values, strict=True))
        made = functional_call(network, given, (images,), {"alpha": alpha})
        return tuple(value for value in made if value is not None)

    inputs = (images.requires_grad_(), *values)
    assert gradcheck(outputs, inputs, fast_mode=True)
    assert gradgradcheck(outputs, inputs, fast_mode=True)


def test_noise_is_differentiated_too(build, rng) -> None:
    network = build(resolution=8, **TINY).discriminator.double()
    images = torch.randn(4, 1, 8, 8, generator=rng, dtype=torch.float64, requires_grad=True)

    def scores(images: torch.Tensor) -> torch.Tensor:
        noise = torch.Generator().manual_seed(0)
        return network(images, noise_strength=0.1, noise_generator=noise).scores

    assert gradcheck(scores, (images,), fast_mode=True)
    assert gradgradcheck(scores, (images,), fast_mode=True)


@pytest.mark.parametrize("normalization", ["pixel", "batch", "none"])
def test_gradients_of_g(build, rng, normalization: str) -> None:
    network = build(resolution=8, g_normalization=normalization, output="tanh").generator.double()
    latents = torch.randn(4, 6, generator=rng, dtype=torch.float64)
    names, values = zip(*network.named_parameters(), strict=True)

    def images(latents: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        given = dict(zip(names, values, strict=True))
        return functional_call(network, given, (latents,), {"resolution": 8, "alpha": 0.4})

    assert gradcheck(images, (latents.requires_grad_(), *values), fast_mode=True)
