import pytest
import torch
from torch import nn

from pgan_toolkit.errors import UsageError
from pgan_toolkit.restoration.networks import (
    Discriminator,
    DiscriminatorConfig,
    RedNet,
    RedNetConfig,
    SRResNet,
    SRResNetConfig,
)


def _parameters(network: nn.Module) -> int:
    return sum(value.numel() for value in network.parameters())


def _awake(network: nn.Module, *, seed: int = 0) -> nn.Module:
    """Weights that make every pixel in reach matter: all positive, so that no ReLU blocks."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in network.parameters():
            value.copy_(torch.rand(value.shape, generator=generator) / value[0].numel())
    return network.double().eval()


def test_red_net_has_the_parameters_of_its_layers() -> None:
    convolution = 64 * 64 * 9 + 64
    assert _parameters(RedNet()) == 20 * convolution + (12 * 64 * 9 + 64) + (64 * 12 * 9 + 12)


def test_sr_resnet_has_sixteen_blocks_of_64_maps() -> None:
    convolution = 64 * 64 * 9 + 64
    assert _parameters(SRResNet()) == 33 * convolution + (3 * 64 * 9 + 64) + (64 * 48 * 9 + 48)


def test_red_net_begins_close_to_the_identity() -> None:
    images = torch.rand(2, 3, 17, 23)
    torch.manual_seed(0)
    difference = RedNet()(images) - images
    assert 0 < float(difference.detach().square().mean().sqrt()) < 0.02


def test_values_in_a_fresh_red_net_neither_grow_nor_vanish() -> None:
    """They once grew from layer to layer until the last ReLU let nothing through."""
    torch.manual_seed(0)
    network, spreads = RedNet(), []
    for layer in (*network.encoder, *network.decoder, network.last):
        layer.register_forward_pre_hook(lambda _, given: spreads.append(float(given[0].std())))
    with torch.no_grad():
        network(torch.rand(1, 3, 64, 64))
    assert len(spreads) == 21
    assert min(spreads) > 0.3
    assert max(spreads) < 3


def test_a_fresh_sr_resnet_is_near_the_repeated_pixels() -> None:
    images = torch.rand(1, 3, 6, 5)
    repeated = images.repeat_interleave(4, 2).repeat_interleave(4, 3)
    torch.manual_seed(0)
    assert (SRResNet(SRResNetConfig(blocks=1, maps=8))(images) - repeated).abs().max() < 1


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (17, 8), (33, 31)])
def test_any_size_goes_through(size: tuple[int, int]) -> None:
    images = torch.rand(1, 3, *size)
    assert RedNet(RedNetConfig(layers=2, maps=4))(images).shape == images.shape
    enlarged = SRResNet(SRResNetConfig(blocks=1, maps=4))(images)
    assert enlarged.shape == (1, 3, size[0] * 4, size[1] * 4)


@pytest.mark.parametrize(
    "network",
    [
        RedNet(RedNetConfig(layers=4, maps=4)),
        RedNet(RedNetConfig(layers=2, maps=4, fold=1)),
        SRResNet(SRResNetConfig(blocks=2, maps=4)),
        SRResNet(SRResNetConfig(blocks=1, maps=4, scale=2)),
    ],
)
def test_reach_is_how_far_a_pixel_matters(network: RedNet | SRResNet) -> None:
    _awake(network)
    side, middle = 4 * network.reach_px, 2 * network.reach_px
    images = torch.rand(1, 3, side, side, dtype=torch.float64)
    touched = images.clone()
    touched[:, :, middle, middle] += 1
    changed = (network(touched) - network(images)).abs().amax(dim=(0, 1)) > 0
    columns = changed.any(dim=0).nonzero().flatten() // network.scale
    farthest = max(middle - int(columns.min()), int(columns.max()) - middle)
    assert farthest <= network.reach_px
    assert farthest > network.reach_px - 2 * network.stride_px  # and no more is claimed


@pytest.mark.parametrize(("levels", "kept"), [(0.5, 0.0588), (2.0, 0.5), (8.0, 0.941)])
def test_red_net_keeps_of_a_change_what_it_is_sure_of(levels: float, kept: float) -> None:
    """Wiener's rule, signal / (signal + noise), for a change of the same size everywhere."""
    network = RedNet(RedNetConfig(layers=2, maps=4, doubt_levels=2))
    with torch.no_grad():
        network.last.weight.zero_()
        network.last.bias.fill_(levels / 255 / 0.25)
    images = torch.full((1, 3, 40, 40), 0.5)
    change = (network(images) - images).detach() * 255
    assert change.mean() == pytest.approx(levels * kept, rel=0.01)
    assert change.std() == pytest.approx(0, abs=1e-3)


def test_red_net_skips_join_mirror_images() -> None:
    """With all layers between at zero, the outermost skip alone carries the picture through."""
    network = RedNet(RedNetConfig(layers=4, maps=4, doubt_levels=0))
    with torch.no_grad():
        for layer in [*network.encoder, *network.decoder]:
            layer.weight.zero_()
    images = torch.rand(1, 3, 8, 8)
    folded = nn.functional.pixel_unshuffle((images - 0.5) / 0.25, 2)
    carried = network.last(network.first(folded) / 2**0.5) * 0.25
    expected = images + nn.functional.pixel_shuffle(carried, 2)
    assert torch.allclose(network(images), expected, atol=1e-6)


@pytest.mark.parametrize(
    "values",
    [
        {"layers": 3},
        {"layers": 0},
        {"maps": 0},
        {"skip_every": 0},
        {"fold": 0},
        {"doubt_levels": -1},
    ],
)
def test_red_net_refuses_impossible_sizes(values: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=next(iter(values))):
        RedNetConfig(**values)


@pytest.mark.parametrize("name", ["blocks", "maps", "scale"])
def test_sr_resnet_refuses_impossible_sizes(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        SRResNetConfig(**{name: 0})


def test_the_discriminator_judges_places_and_gives_each_layers_features() -> None:
    judge = Discriminator(DiscriminatorConfig(maps=4, halvings=3))
    verdict, features = judge(torch.rand(2, 3, 64, 48))
    assert verdict.shape == (2, 1, 8, 6)
    assert [values.shape[1] for values in features] == [4, 4, 8, 8, 16, 16, 32]


def test_the_discriminators_layers_do_not_stretch() -> None:
    """Spectral norm: each layer's matrix has a largest singular value of 1."""
    torch.manual_seed(0)
    judge = Discriminator(DiscriminatorConfig(maps=8, halvings=1)).train()
    for _ in range(50):  # each pass does one power iteration
        judge(torch.rand(1, 3, 8, 8))
    for layer in judge.layers:
        largest = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), ord=2)
        assert float(largest) == pytest.approx(1, abs=0.02)
