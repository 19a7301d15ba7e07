"""What fades in, what is in use, and whole networks against a second writing of them in NumPy."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from reference_trainer.networks.layers import downscale, upscale


def test_g_mixes_the_new_picture_with_the_repeated_old_one(build, rng) -> None:
    network = build().generator
    latents = torch.randn(2, 6, generator=rng)
    with torch.no_grad():
        new = network(latents, resolution=8).numpy()
        old = network(latents, resolution=4).numpy()
        mixed = network(latents, resolution=8, alpha=0.3).numpy()
    expected = 0.3 * new + 0.7 * old.repeat(2, axis=2).repeat(2, axis=3)
    np.testing.assert_allclose(mixed, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("architecture", ["table2", "mnist-pooled"])
def test_a_fade_begins_with_what_was_there(build, rng, architecture: str) -> None:
    networks = build(architecture=architecture)
    latents, images = torch.randn(4, 6, generator=rng), torch.randn(4, 3, 16, 16, generator=rng)
    with torch.no_grad():
        before = upscale(networks.generator(latents, resolution=8))
        assert torch.equal(networks.generator(latents, resolution=16, alpha=0.0), before)
        scores = networks.discriminator(downscale(images)).scores
        assert torch.equal(networks.discriminator(images, alpha=0.0).scores, scores)


@pytest.mark.parametrize("architecture", ["table2", "mnist-pooled"])
def test_a_fade_ends_with_what_stays(build, rng, architecture: str) -> None:
    networks = build(architecture=architecture)
    latents, images = torch.randn(4, 6, generator=rng), torch.randn(4, 3, 16, 16, generator=rng)
    with torch.no_grad():
        after = networks.generator(latents, resolution=16)
        almost = networks.generator(latents, resolution=16, alpha=1 - 1e-6)
        torch.testing.assert_close(almost, after, rtol=1e-4, atol=1e-5)
        scores = networks.discriminator(images).scores
        almost = networks.discriminator(images, alpha=1 - 1e-6).scores
        torch.testing.assert_close(almost, scores, rtol=1e-4, atol=1e-5)


def _with_gradient(network) -> set[str]:
    """The first two parts of the names of what has a gradient: "blocks.8"."""
    return {
        ".".join(name.split(".")[:2])
        for name, value in network.named_parameters()
        if value.grad is not None
    }


@pytest.mark.parametrize(
    ("resolution", "alpha", "blocks", "rgb"),
    [(4, 1, {4}, {4}), (8, 0.5, {4, 8}, {4, 8}), (8, 1, {4, 8}, {8}), (16, 1, {4, 8, 16}, {16})],
)
def test_only_what_is_in_use_has_a_gradient(build, rng, resolution, alpha, blocks, rgb) -> None:
    networks = build()
    images = networks.generator(
        torch.randn(4, 6, generator=rng), resolution=resolution, alpha=alpha
    )
    networks.discriminator(images, alpha=alpha).scores.sum().backward()
    assert _with_gradient(networks.generator) == {f"blocks.{size}" for size in blocks} | {
        f"to_rgb.{size}" for size in rgb
    }
    assert _with_gradient(networks.discriminator) == (
        {f"blocks.{size}" for size in blocks - {4}}
        | {f"from_rgb.{size}" for size in rgb}
        | {"end.layers", "dense.0"}
    )


class _Numpy:
    """The networks of 4 and 8 pixels, written from the paper's words, weights by their names."""

    def __init__(self, network) -> None:
        self.values = {name: value.numpy() for name, value in network.state_dict().items()}

    def convolved(self, maps, name: str, *, gain: float = math.sqrt(2)):
        weight, bias = self.values[f"{name}.weight"], self.values[f"{name}.bias"]
        weight = weight * gain / math.sqrt(weight[0].size)
        mode = "valid" if weight.shape[2] == 4 else "same"
        made = [
            [
                sum(correlate2d(a, b, mode=mode) for a, b in zip(image, row, strict=True))
                for row in weight
            ]
            for image in maps
        ]
        return np.array(made) + bias[:, None, None]

    def normed(self, maps):
        maps = np.where(maps < 0, 0.2 * maps, maps)
        return maps / np.sqrt((maps**2).mean(axis=1, keepdims=True) + 1e-8)

    def generated(self, latents, alpha: float):
        latents = latents / np.sqrt((latents**2).mean(axis=1, keepdims=True) + 1e-8)
        weight = self.values["blocks.4.0.weight"] * math.sqrt(2) / 4 / math.sqrt(latents.shape[1])
        maps = (latents @ weight.T).reshape(len(latents), -1, 4, 4)
        maps = self.normed(maps + self.values["blocks.4.0.bias"][:, None, None])
        small = self.normed(self.convolved(maps, "blocks.4.1"))
        maps = small.repeat(2, axis=2).repeat(2, axis=3)
        maps = self.normed(self.convolved(maps, "blocks.8.1"))
        maps = self.normed(self.convolved(maps, "blocks.8.2"))
        new = self.convolved(maps, "to_rgb.8", gain=1)
        old = self.convolved(small, "to_rgb.4", gain=1).repeat(2, axis=2).repeat(2, axis=3)
        return alpha * new + (1 - alpha) * old

    def scored(self, images, alpha: float):
        maps = self.leaky(images, "from_rgb.8")
        maps = self.leaky(self.leaky(maps, "blocks.8.layers.0"), "blocks.8.layers.1")
        entered = self.leaky(_means(images), "from_rgb.4")
        maps = alpha * _means(maps) + (1 - alpha) * entered
        deviation = np.sqrt(maps.var(axis=0) + 1e-8).mean()
        maps = np.concatenate([maps, np.full_like(maps[:, :1], deviation)], axis=1)
        maps = self.leaky(self.leaky(maps, "end.layers.1"), "end.layers.2")
        weight, bias = self.values["dense.0.weight"], self.values["dense.0.bias"]
        return (maps[:, :, 0, 0] @ weight.T / math.sqrt(weight.shape[1]) + bias)[:, 0]

    def leaky(self, maps, name: str):
        maps = self.convolved(maps, name)
        return np.where(maps < 0, 0.2 * maps, maps)


def _means(maps):
    return maps.reshape(*maps.shape[:2], maps.shape[2] // 2, 2, -1, 2).mean(axis=(3, 5))


@pytest.mark.parametrize("alpha", [0.25, 1])
def test_the_networks_in_numpy(build, rng, alpha: float) -> None:
    networks = build(resolution=8, stddev_group=0)
    for network in (networks.generator, networks.discriminator):
        network.double()
        for name, value in network.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.normal_(value, std=0.3, generator=rng)
    latents = torch.randn(3, 6, generator=rng, dtype=torch.float64)
    with torch.no_grad():
        images = networks.generator(latents, resolution=8, alpha=alpha)
        scores = networks.discriminator(images, alpha=alpha).scores
    expected = _Numpy(networks.generator).generated(latents.numpy(), alpha)
    np.testing.assert_allclose(images.numpy(), expected, atol=1e-12)
    expected = _Numpy(networks.discriminator).scored(images.numpy(), alpha)
    np.testing.assert_allclose(scores.numpy(), expected, atol=1e-12)
