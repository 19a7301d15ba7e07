"""The net that removes JPEG artifacts: an autoencoder with symmetric skips, RED-Net.

Source: Mao, Shen and Yang, "Image Restoration Using Very Deep Convolutional Encoder-Decoder
Networks with Symmetric Skip Connections", NIPS 2016; "similar in structure" in appendix C of
Progressive Growing of GANs. What differs from the paper of 2016: the picture is folded first,
`fold` x `fold` pixels into channels, so that the same number of layers sees twice as far for a
quarter of the work. The decoder's layers are plain convolutions: at stride 1, to which all of
RED-Net's layers were set, a transposed convolution is one with its kernel turned. Each ReLU stands
before its convolution instead of after the sum with the skip, and the sums are scaled: with the
original order values grew from layer to layer, and the last ReLU died in the first hundreds of
steps. And what the net would change is shrunk where it is little, by a Wiener filter's rule, so
that pictures without artifacts stay as they are.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pgan_toolkit.errors import UsageError

__all__ = ["RedNet", "RedNetConfig"]

_MEAN, _SPREAD = 0.5, 0.25  # of pixels, about
_NEIGHBOURHOOD = 15  # folded pixels
_LAST_GAIN = 0.02  # begins close to the identity


@dataclass(frozen=True)
class RedNetConfig:
    """Depth and width.

    Attributes
    ----------
    layers : int
        3x3 convolutions between the first and the last, half of them encoder, half decoder; even.
    maps : int
        Feature maps of each.
    skip_every : int
        A skip joins every so many layers of the encoder to their mirror images in the decoder.
    fold : int
        Side of the squares of pixels that are folded into channels.
    doubt_levels : float
        Changes whose root mean square around a pixel is below this, in grey levels, are taken for
        doubt rather than artifacts, and shrunk.
    """

    layers: int = 20
    maps: int = 64
    skip_every: int = 2
    fold: int = 2
    doubt_levels: float = 2.0

    def __post_init__(self) -> None:
        if self.layers < 2 or self.layers % 2:
            raise UsageError(f"layers={self.layers}: expected an even number, 2 or more")
        for name in ("maps", "skip_every", "fold"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)}: expected 1 or more")
        if self.doubt_levels < 0:
            raise UsageError(f"doubt_levels={self.doubt_levels}: expected 0 or more")


class RedNet(nn.Module):
    """Maps a picture to the same picture without compression artifacts.

    Attributes
    ----------
    config : RedNetConfig
    scale : int
        1: the result has the input's size.
    stride_px : int
        A part gives the whole picture's pixels only if it begins at a multiple of this.
    reach_px : int
        How far around a pixel the result depends on the input, input pixels.
    shrinks : bool
        Small changes are shrunk; a fresh net must learn without it first, as the gradient of a
        change that is shrunk vanishes with its square.
    """

    scale = 1

    def __init__(self, config: RedNetConfig = RedNetConfig()) -> None:
        super().__init__()
        self.config = config
        self.shrinks = config.doubt_levels > 0
        self.stride_px = config.fold
        self.reach_px = (config.layers + 3 + _NEIGHBOURHOOD // 2) * config.fold
        channels, half = 3 * config.fold**2, config.layers // 2
        self.first = _convolution(channels, config.maps)
        self.encoder = nn.ModuleList(_convolution(config.maps, config.maps) for _ in range(half))
        self.decoder = nn.ModuleList(_convolution(config.maps, config.maps) for _ in range(half))
        self.last = _convolution(config.maps, channels, gain=_LAST_GAIN)

    def forward(self, images: Tensor) -> Tensor:
        """Restore float (N, 3, H, W), 0..1, to the same shape; H and W of any size."""
        height, width = images.shape[2:]
        fold = self.config.fold
        padding = (0, -width % fold, 0, -height % fold)
        whole = functional.pad(images, padding, mode="replicate") if any(padding) else images
        residual = self._residual(functional.pixel_unshuffle(whole, fold))
        change = residual.to(images.dtype)
        if self.shrinks:
            change = self._shrunk(change)
        return images + functional.pixel_shuffle(change, fold)[:, :, :height, :width]

    def _residual(self, folded: Tensor) -> Tensor:
        features = self.first((folded - _MEAN) / _SPREAD)
        skips: list[Tensor | None] = []
        for index, layer in enumerate(self.encoder):
            skips.append(features if index % self.config.skip_every == 0 else None)
            features = layer(torch.relu(features))
        for layer in self.decoder:
            skip = skips.pop()
            features = layer(torch.relu(features))
            if skip is not None:
                features = (features + skip) / math.sqrt(2)  # as large as each of the two
        result: Tensor = self.last(features)
        return result * _SPREAD

    def _shrunk(self, residual: Tensor) -> Tensor:
        """Shrink by signal / (signal + noise), as a Wiener filter does, with doubt for noise."""
        power = functional.avg_pool2d(
            residual.square().mean(dim=1, keepdim=True),
            _NEIGHBOURHOOD,
            stride=1,
            padding=_NEIGHBOURHOOD // 2,
            count_include_pad=False,
        )
        return residual * (power / (power + (self.config.doubt_levels / 255) ** 2))


def _convolution(inputs: int, outputs: int, *, gain: float = 1.0) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # there is one: bias=True
    with torch.no_grad():
        layer.weight.mul_(gain)
    return layer
