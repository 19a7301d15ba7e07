"""A network as a table of its layers, as Table 2 shows them."""

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from reference_trainer.networks.discriminator import Discriminator
from reference_trainer.networks.generator import Generator
from reference_trainer.networks.layers import Layer

__all__ = ["LayerRow", "describe"]


class LayerRow(NamedTuple):
    """One layer.

    Attributes
    ----------
    name : str
        Where it is in the network: "blocks.8.1".
    title : str
        What it is, as in Table 2: "Conv 3x3".
    shape : tuple of int
        What it makes of one picture: (C, H, W), or (F,).
    parameters : int
        Numbers that are trained.
    multiply_adds : int
        Multiplications of weights for one picture.
    """

    name: str
    title: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


def describe(
    network: Generator | Discriminator, *, resolution: int | None = None
) -> tuple[LayerRow, ...]:
    """List the layers of a network.

    Parameters
    ----------
    network : Generator or Discriminator
        It is left as it is; nothing is computed.
    resolution : int, or None
        List those in use at this resolution (while nothing fades), in their order. None: those in
        use at the last resolution, then the others; their parameters add up to the network's.

    Raises
    ------
    UsageError
        The network does not have this resolution.
    """
    # The weights' copies have shapes alone: as many numbers as a large network's take a second.
    weights: dict[int, object] = {
        id(value): nn.Parameter(value.detach().to("meta")) for value in network.parameters()
    }
    shapes_only = copy.deepcopy(network, weights).to("meta").eval()
    if resolution is not None:
        return tuple(_rows(shapes_only, resolution))
    found: dict[str, LayerRow] = {}
    for size in reversed(network.resolutions):
        for row in _rows(shapes_only, size):
            found.setdefault(row.name, row)
    return tuple(found.values())


def _rows(network: Generator | Discriminator, resolution: int) -> list[LayerRow]:
    rows: list[LayerRow] = []
    handles = [
        module.register_forward_hook(_noting(name, rows))
        for name, module in network.named_modules()
        if isinstance(module, Layer)
    ]
    try:
        _run(network, resolution)
    finally:
        for handle in handles:
            handle.remove()
    return rows


def _noting(name: str, rows: list[LayerRow]) -> Callable[[Layer, object, Tensor], None]:
    def note(layer: Layer, _: object, made: Tensor) -> None:
        count = sum(value.numel() for value in layer.parameters())
        shape, work = tuple(made.shape[1:]), layer.multiply_adds(made)
        rows.append(LayerRow(name, layer.title, shape, count, work))

    return note


@torch.no_grad()
def _run(network: Generator | Discriminator, resolution: int) -> None:
    """Call a network on the meta device with one picture or latent vector."""
    if isinstance(network, Discriminator):
        network(torch.empty(1, network.channels, resolution, resolution, device="meta"))
        return
    labels = torch.zeros(1, dtype=torch.int64, device="meta") if network.label_count else None
    latents = torch.empty(1, network.latent_size, device="meta")
    network(latents, resolution=resolution, labels=labels)
