"""A wider network maps pictures as the narrow one does, and its new maps can learn."""

import pytest
import torch

from pgan_toolkit.errors import UsageError
from pgan_toolkit.restoration.networks import (
    RedNet,
    RedNetConfig,
    SRResNet,
    SRResNetConfig,
    widened,
)


@pytest.fixture(params=["RedNet", "SRResNet"])
def network(request: pytest.FixtureRequest) -> RedNet | SRResNet:
    torch.manual_seed(0)
    if request.param == "RedNet":
        return RedNet(RedNetConfig(layers=4, maps=6))
    return SRResNet(SRResNetConfig(blocks=2, maps=6))


def test_a_wider_network_does_the_same(network: RedNet | SRResNet) -> None:
    pictures = torch.rand(2, 3, 20, 18)
    before = [weights.clone() for weights in network.parameters()]
    wide = widened(network, maps=10)
    assert wide.config.maps == 10
    assert wide.last.weight.shape[1] == 10
    torch.testing.assert_close(wide(pictures), network(pictures))
    assert all(map(torch.equal, before, network.parameters()))


def test_its_new_maps_see_the_picture_and_are_reached_by_gradients(
    network: RedNet | SRResNet,
) -> None:
    wide = widened(network, maps=10)
    wide(torch.rand(2, 3, 20, 18)).square().mean().backward()
    assert wide.first.weight[6:].std() > 0.01
    # The layers behind do not use them yet, and learn to.
    assert torch.count_nonzero(wide.last.weight[:, 6:]) == 0
    assert wide.last.weight.grad is not None
    assert torch.count_nonzero(wide.last.weight.grad[:, 6:]) > 0


def test_fewer_maps_are_refused(network: RedNet | SRResNet) -> None:
    with pytest.raises(UsageError, match="maps=5: the network has 6"):
        widened(network, maps=5)
