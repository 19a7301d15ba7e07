"""Make a network wider without changing what it does, to go on training with more capacity."""

from dataclasses import replace

import torch
from torch import Tensor

from pgan_toolkit.errors import UsageError
from pgan_toolkit.restoration.networks.red_net import RedNet
from pgan_toolkit.restoration.networks.sr_resnet import SRResNet

__all__ = ["widened"]


@torch.no_grad()
def widened(network: RedNet | SRResNet, *, maps: int) -> RedNet | SRResNet:
    """Return a network of more feature maps that maps pictures as this one does.

    The maps that are added have random weights of their own, and weight 0 in those that were
    there: they are computed from the first step on, and count as soon as training lets them. (Nets
    of Net2Net, Chen, Goodfellow and Shlens, ICLR 2016, copy maps instead, and need noise to tell
    the copies apart.)

    Parameters
    ----------
    network : RedNet or SRResNet
        Stays as it is.
    maps : int
        Feature maps of the result, at least as many as there are. The random weights come from
        torch's global generator.

    Raises
    ------
    UsageError
        Fewer maps than there are.
    """
    if maps < network.config.maps:
        raise UsageError(f"maps={maps}: the network has {network.config.maps}; expected no fewer")
    # mypy cannot tell that the configuration is of the network's own kind.
    wide = type(network)(replace(network.config, maps=maps))  # type: ignore[arg-type]
    for ours, theirs in zip(wide.parameters(), network.parameters(), strict=True):
        _embed(ours, theirs)
    return wide


def _embed(wide: Tensor, narrow: Tensor) -> None:
    """Put weights (outputs, inputs, ...) or biases (outputs,) in; the old outputs see no more."""
    old = wide[: narrow.shape[0]]
    old.zero_()
    old[tuple(slice(size) for size in narrow.shape)] = narrow
