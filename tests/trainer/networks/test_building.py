"""From settings to networks: where weights come from, what settings change, what is refused."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from reference_trainer.configuration import load_preset
from reference_trainer.networks import build_networks
from reference_trainer.networks.layers import ConvLayer
from reference_trainer.training.layout import place


def _weights(networks) -> list[torch.Tensor]:
    return [*networks.generator.parameters(), *networks.discriminator.parameters()]


def test_weights_come_from_the_given_generator_alone(build) -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = _weights(build(seed=3))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    second, other = _weights(build(seed=3)), _weights(build(seed=4))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    drawn = [(a, c) for a, c in zip(first, other, strict=True) if a.ndim > 1]
    assert drawn
    assert not any(torch.equal(a, c) for a, c in drawn)


def test_equalised_and_hes_networks_begin_as_the_same_functions(build, rng) -> None:
    latents = torch.randn(4, 6, generator=rng)
    made = []
    for scaling in ("equalized", "he"):
        networks = build(weight_scaling=scaling, minibatch_statistic="discrimination")
        images = networks.generator(latents, resolution=16)
        made.append((images, networks.discriminator(images).scores))
    torch.testing.assert_close(made[0], made[1], rtol=1e-4, atol=1e-5)


def test_fresh_networks_make_pictures_and_scores_of_moderate_size(build, rng) -> None:
    networks = build(resolution=32, g_map_base=1024, g_map_most=64, d_map_base=1024, d_map_most=64)
    with torch.no_grad():
        images = networks.generator(torch.randn(16, 6, generator=rng), resolution=32)
        scores = networks.discriminator(images).scores
    assert 0.5 < float(images.std()) < 2
    assert 0.05 < float(scores.std()) < 5


def test_row_a_of_table_1_has_the_layers_of_gulrajani(build, rng) -> None:
    networks = build(
        growing=False,
        g_normalization="batch",
        g_activation="relu",
        output="tanh",
        normalize_latents=False,
        weight_scaling="he",
        d_normalization="layer",
        minibatch_statistic="none",
    )
    # Both 4x4 layers and all 3x3 ones are normalised, no 1x1.
    kinds = [type(module).__name__ for module in networks.generator.modules()]
    assert (kinds.count("BatchNorm"), kinds.count("PixelNorm")) == (6, 0)
    kinds = [type(module).__name__ for module in networks.discriminator.modules()]
    assert (kinds.count("LayerNorm"), kinds.count("MinibatchStddev")) == (6, 0)
    images = networks.generator(torch.randn(4, 6, generator=rng) * 3, resolution=16)
    assert float(images.detach().abs().max()) <= 1
    alone = torch.cat([networks.discriminator(image[None]).scores for image in images])
    torch.testing.assert_close(networks.discriminator(images).scores, alone)


def test_latents_are_normalised_where_that_is_set(build, rng) -> None:
    latents = torch.randn(4, 6, generator=rng)
    with torch.no_grad():
        for normalized, by in ((True, 1), (False, 3)):
            network = build(normalize_latents=normalized, g_normalization="none").generator
            once, thrice = (network(latents * factor, resolution=16) for factor in (1, 3))
            torch.testing.assert_close(thrice, once * by, rtol=1e-4, atol=1e-4)


def test_minibatch_statistics_are_of_one_call(build, rng) -> None:
    images = torch.randn(8, 3, 16, 16, generator=rng)
    network = build(stddev_group=0).discriminator
    with torch.no_grad():
        whole, half = network(images).scores, network(images[:4]).scores
    assert not torch.allclose(whole[:4], half, atol=1e-4)


def test_noise_is_of_the_generator_and_multiplies(build, rng) -> None:
    network, images = build().discriminator, torch.randn(4, 3, 16, 16, generator=rng)

    def scores(seed: int, strength: float) -> torch.Tensor:
        noise = torch.Generator().manual_seed(seed)
        return network(images, noise_strength=strength, noise_generator=noise).scores.detach()

    assert torch.equal(scores(1, 0.1), scores(1, 0.1))
    assert not torch.equal(scores(1, 0.1), scores(2, 0.1))
    torch.testing.assert_close(scores(1, 1e-6), network(images).scores.detach(), atol=1e-3, rtol=0)


def test_noise_comes_before_each_3x3_and_4x4_convolution(build, rng) -> None:
    network, images = build(resolution=8).discriminator, torch.randn(1, 3, 8, 8, generator=rng)
    given: dict[str, torch.Tensor] = {}
    made: dict[str, torch.Tensor] = {}

    def noting(name: str):
        def note(_: nn.Module, before: tuple[torch.Tensor, ...], after: torch.Tensor) -> None:
            given[name], made[name] = before[0].detach(), after.detach().clone()

        return note

    for name, module in network.named_modules():
        if isinstance(module, ConvLayer):
            module.register_forward_hook(noting(name))
    noise = torch.Generator().manual_seed(0)
    network(images, noise_strength=0.1, noise_generator=noise)
    assert torch.equal(given["from_rgb.8"], images)
    ratio = given["blocks.8.layers.0"] / made["from_rgb.8"]
    drawn = torch.randn(1, 8, 1, 1, generator=torch.Generator().manual_seed(0))
    expected = (1 + 0.1 * 8**0.5 * drawn).expand_as(ratio)  # 8 maps
    torch.testing.assert_close(ratio, expected)
    names = ["blocks.8.layers.0", "blocks.8.layers.1", "end.layers.1", "end.layers.2"]
    assert list(given) == ["from_rgb.8", *names]
    assert not torch.equal(given["blocks.8.layers.1"], made["blocks.8.layers.0"])
    assert not torch.equal(given["end.layers.2"], made["end.layers.1"])


def test_labels_condition_g_and_are_scored_by_d(build, rng) -> None:
    networks = build(label_count=3)
    latents, labels = torch.randn(3, 6, generator=rng), torch.tensor([0, 1, 2])
    images = networks.generator(latents, resolution=16, labels=labels)
    critique = networks.discriminator(images)
    assert critique.scores.shape == (3,)
    assert critique.label_logits.shape == (3, 3)
    others = networks.generator(latents, resolution=16, labels=labels.flip(0))
    assert torch.equal(images[1], others[1])
    assert not torch.allclose(images[0], others[0])


def test_a_label_is_a_one_hot_vector_after_the_normalised_latents(build) -> None:
    network, given = build(label_count=2).generator, []
    network.blocks["4"][0].register_forward_pre_hook(lambda _, values: given.append(values[0]))
    latents = torch.tensor([[2.0, 0, 0, 0, 0, 0]])
    network(latents, resolution=4, labels=torch.tensor([1]))
    torch.testing.assert_close(given[0], torch.tensor([[6**0.5, 0, 0, 0, 0, 0, 0, 1]]))


@pytest.mark.parametrize("architecture", ["table2", "mnist-pooled"])
def test_channels_last_stays(build, rng, architecture: str) -> None:
    networks = build(architecture=architecture)
    seen = []

    def note(layer: nn.Module, _: object, made: torch.Tensor) -> None:
        if made.shape[2] > 4:
            seen.append(made.is_contiguous(memory_format=torch.channels_last))

    for network in (networks.generator, networks.discriminator):
        network.to(memory_format=torch.channels_last)
        for module in network.modules():
            if isinstance(module, ConvLayer):
                module.register_forward_hook(note)
    images = networks.generator(torch.randn(4, 6, generator=rng), resolution=16, alpha=0.5)
    networks.discriminator(images, alpha=0.5)
    assert len(seen) > 5
    assert all(seen)


@pytest.mark.parametrize("statistic", ["stddev", "discrimination"])
@pytest.mark.parametrize("normalization", ["pixel", "batch"])
def test_autocast_gives_float32_near_that_without(
    build, rng, statistic: str, normalization: str
) -> None:
    networks = build(
        minibatch_statistic=statistic,
        g_normalization=normalization,
        d_normalization="layer" if normalization == "batch" else "none",
    )
    latents = torch.randn(4, 6, generator=rng)
    plain = networks.generator(latents, resolution=16, alpha=0.5)
    scores = networks.discriminator(plain, alpha=0.5).scores
    with torch.autocast("cpu", torch.bfloat16):
        images = networks.generator(latents, resolution=16, alpha=0.5)
        critique = networks.discriminator(plain, alpha=0.5)
    assert images.dtype == critique.scores.dtype == torch.float32
    assert not torch.equal(images, plain)
    assert float((images - plain).detach().square().mean().sqrt()) < 0.02
    torch.testing.assert_close(critique.scores, scores, rtol=0.05, atol=0.05)
    critique.scores.sum().backward()
    assert networks.discriminator.dense[-1].weight.grad.dtype == torch.float32


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize("architecture", ["table2", "mnist-pooled"])
def test_a_gpu_finds_what_a_cpu_finds_with_the_same_noise(build, rng, architecture: str) -> None:
    networks = build(architecture=architecture)
    latents = torch.randn(4, 6, generator=rng, dtype=torch.float64)
    found = []
    for device in ("cpu", "cuda"):
        for network in (networks.generator, networks.discriminator):
            network.double().to(device, memory_format=torch.channels_last)
        images = networks.generator(latents.to(device), resolution=16, alpha=0.5)
        noise = torch.Generator().manual_seed(0)
        made = networks.discriminator(images, alpha=0.5, noise_strength=0.1, noise_generator=noise)
        found.append((images.detach().cpu(), made.scores.detach().cpu()))
    torch.testing.assert_close(found[0], found[1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_layouts_change_speed_and_no_result(rng, precision: str) -> None:
    """Wide layers over few pixels lie in planes on a CPU, all others channels last."""
    settings = load_preset("celebahq-128", changes=["resolution=32", "latent_size=8"])
    networks = build_networks(settings, generator=torch.Generator().manual_seed(0))
    latents = torch.randn(2, 8, generator=rng)
    images = networks.generator(latents, resolution=32, alpha=0.5)
    scores = networks.discriminator(images, alpha=0.5).scores
    for network in (networks.generator, networks.discriminator):
        place(network, torch.device("cpu"), precision=precision)
    again = networks.generator(latents, resolution=32, alpha=0.5)
    torch.testing.assert_close(again, images, rtol=1e-4, atol=1e-4)
    found = networks.discriminator(images, alpha=0.5).scores
    torch.testing.assert_close(found, scores, rtol=1e-4, atol=1e-4)
    for network in (networks.generator, networks.discriminator):
        for size, part in network.parts():
            for layer in part.modules():
                if isinstance(layer, ConvLayer):
                    planes = size <= (16 if precision == "float32" else 4)
                    assert layer.weight.is_contiguous() is planes


class _Largest(TorchDispatchMode):
    """Notes how many numbers the largest tensor has that is made."""

    numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.numbers = max(self.numbers, made.numel())
        return made


def test_many_labels_take_no_room(build) -> None:
    """Not a matrix of all labels by all labels, at every call."""
    network = build(label_count=2000).generator
    with torch.no_grad(), _Largest() as largest:
        images = network(
            torch.ones(1, 6), resolution=4, labels=torch.tensor([7], dtype=torch.int32)
        )
    assert images.shape == (1, 3, 4, 4)
    assert largest.numbers < 2000**2
