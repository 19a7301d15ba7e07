"""The generator: blocks that double the resolution, and where pictures come out of them."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from reference_trainer.networks.inputs import (
    check_alpha,
    check_labels,
    check_latents,
    check_resolution,
)
from reference_trainer.networks.layers import upscale
from reference_trainer.networks.normalization import pixel_norm

__all__ = ["Generator"]


class Generator(nn.Module):
    """G: makes pictures of latents.

    Attributes
    ----------
    latent_size : int
        Numbers in a latent vector.
    label_count : int
        Kinds of label, 0 for none.
    resolutions : tuple of int
        At which it can make pictures, pixels, ascending. Blocks above the resolution of a call
        take no part in it.
    """

    def __init__(
        self,
        blocks: Mapping[int, nn.Module],
        to_rgb: Mapping[int, nn.Module],
        *,
        latent_size: int,
        label_count: int,
        normalize_latents: bool,
        output: Literal["linear", "tanh"],
    ) -> None:
        super().__init__()
        self.latent_size, self.label_count = latent_size, label_count
        self.resolutions = tuple(to_rgb)
        self.blocks = nn.ModuleDict({str(size): block for size, block in blocks.items()})
        self.to_rgb = nn.ModuleDict({str(size): layer for size, layer in to_rgb.items()})
        self.normalize_latents, self.output = normalize_latents, output

    def parts(self) -> Iterator[tuple[int, nn.Module]]:
        """Yield each block and the side of the maps that it works on, pixels."""
        for size, block in self.blocks.items():
            yield int(size), block

    if TYPE_CHECKING:
        __call__: Callable[..., Tensor]

    def forward(
        self,
        latents: Tensor,
        *,
        resolution: int,
        alpha: float = 1.0,
        labels: Tensor | None = None,
    ) -> Tensor:
        """Make pictures.

        Parameters
        ----------
        latents : float tensor (N, latent_size)
            N(0, 1); their length does not matter where the network normalises them.
        resolution : int
            Of the pictures, one of `resolutions`.
        alpha : float
            Weight of the newest block's picture; the rest is the repeated picture of the block
            below (figure 2 of the paper). 1 if nothing fades in.
        labels : int64 tensor (N,), or None
            Where the network is conditional.

        Returns
        -------
        float tensor (N, C, resolution, resolution)
            About -1..1, of the weights' type in autocast too.

        Raises
        ------
        UsageError
            An argument does not fit this network.
        """
        check_latents(latents, self.latent_size)
        check_resolution(resolution, self.resolutions)
        check_alpha(alpha, resolution, self.resolutions)
        check_labels(labels, len(latents), self.label_count)
        maps = below = self._first_input(latents, labels)
        for size, block in self.blocks.items():
            if int(size) <= resolution:
                below, maps = maps, block(maps)
        images: Tensor = self.to_rgb[str(resolution)](maps)
        if alpha < 1:
            old = upscale(self.to_rgb[str(resolution // 2)](below))
            images = images * alpha + old * (1 - alpha)
        return torch.tanh(images) if self.output == "tanh" else images

    def _first_input(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """Return normalised latents and, after them, labels as one-hot vectors."""
        values = pixel_norm(latents) if self.normalize_latents else latents
        if labels is None:
            return values
        kinds = functional.one_hot(labels.long(), self.label_count)
        return torch.cat([values, kinds.to(values.dtype)], dim=1)
