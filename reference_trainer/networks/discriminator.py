"""The discriminator: the generator's mirror image, with one number at its end."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from pgan_toolkit.errors import UsageError
from reference_trainer.networks.inputs import check_alpha, check_images
from reference_trainer.networks.layers import ConvLayer, Layer, StridedConvLayer, downscale
from reference_trainer.networks.noise import MapNoise

__all__ = ["Critique", "Discriminator", "DiscriminatorBlock"]


class Critique(NamedTuple):
    """What D says of a minibatch.

    Attributes
    ----------
    scores : float tensor (N,)
        Larger: more like a real picture. No activation is applied.
    label_logits : float tensor (N, K), or None
        Of K kinds of label, where the network is conditional.
    """

    scores: Tensor
    label_logits: Tensor | None


class DiscriminatorBlock(nn.Module):
    """Layers one after the other, with noise before each 3x3 and 4x4 convolution."""

    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, maps: Tensor, noise: MapNoise | None) -> Tensor:
        """Take float (N, C, H, W), and return what the last layer makes."""
        for layer in self.layers:
            if noise is not None and isinstance(layer, ConvLayer | StridedConvLayer):
                maps = noise.applied(maps)
            maps = layer(maps)
        return maps


class Discriminator(nn.Module):
    """D: scores pictures.

    Attributes
    ----------
    channels : int
        Of the pictures.
    label_count : int
        Kinds of label, 0 for none.
    resolutions : tuple of int
        Of the pictures that it can score, pixels, ascending. Blocks above the resolution of a
        call take no part in it.
    """

    def __init__(
        self,
        blocks: Mapping[int, DiscriminatorBlock],
        from_rgb: Mapping[int, nn.Module],
        end: DiscriminatorBlock,
        dense: nn.Sequential,
        *,
        resolutions: tuple[int, ...],
        channels: int,
        label_count: int,
    ) -> None:
        super().__init__()
        self.resolutions, self.channels, self.label_count = resolutions, channels, label_count
        self.from_rgb = nn.ModuleDict({str(size): layer for size, layer in from_rgb.items()})
        self.blocks = nn.ModuleDict({str(size): block for size, block in blocks.items()})
        self.end = end
        self.dense = dense

    def parts(self) -> Iterator[tuple[int, nn.Module]]:
        """Yield each block, the end too, and the side of the maps that it works on, pixels."""
        for size, block in self.blocks.items():
            yield int(size), block
        yield 4, self.end

    if TYPE_CHECKING:
        __call__: Callable[..., Critique]

    def forward(
        self,
        images: Tensor,
        *,
        alpha: float = 1.0,
        noise_strength: float = 0.0,
        noise_generator: torch.Generator | None = None,
    ) -> Critique:
        """Score pictures.

        Parameters
        ----------
        images : float tensor (N, channels, r, r)
            About -1..1; r is one of `resolutions`. Statistics of the minibatch are of these N.
        alpha : float
            Weight of the newest block; the rest is what comes from the 2x2-averaged pictures
            (figure 2 of the paper). 1 if nothing fades in.
        noise_strength : float
            Of the multiplicative noise, see `MapNoise`.
        noise_generator : torch.Generator, or None
            Where noise is drawn from, where there is some.

        Returns
        -------
        Critique
            Of the weights' type in autocast too.

        Raises
        ------
        UsageError
            An argument does not fit this network.
        """
        check_images(images, self.channels, self.resolutions)
        resolution = images.shape[2]
        check_alpha(alpha, resolution, self.resolutions)
        noise = _noise(noise_strength, noise_generator)
        maps = self._entered(images)
        for size, block in self.blocks.items():
            if int(size) > resolution:
                continue
            maps = block(maps, noise)
            if int(size) == resolution and alpha < 1:
                maps = maps * alpha + self._entered(downscale(images)) * (1 - alpha)
        made = self.dense(self.end(maps, noise).flatten(1))
        return Critique(made[:, 0], made[:, 1:] if self.label_count else None)

    def _entered(self, images: Tensor) -> Tensor:
        """Return pictures as maps; where there is no layer for it, they are the first maps."""
        size = str(images.shape[2])
        return self.from_rgb[size](images) if size in self.from_rgb else images


def _noise(strength: float, generator: torch.Generator | None) -> MapNoise | None:
    if strength == 0:
        return None
    if not strength > 0:
        raise UsageError(f"noise_strength={strength}: expected 0 or more")
    if generator is None:
        raise UsageError(f"noise_strength={strength} and no noise_generator: expected one")
    return MapNoise(strength, generator)
