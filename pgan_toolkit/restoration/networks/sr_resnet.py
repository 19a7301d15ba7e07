"""The net that enlarges four times: SRResNet.

Source: Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
Network", CVPR 2017; "similar" in appendix C of Progressive Growing of GANs. What differs from it:
no batch normalisation (EDSR, Lim et al. 2017, does better without); 3x3 kernels at both ends; one
pixel shuffle by the whole factor instead of two by 2, for less than half of the time; and the input
itself, each pixel repeated, is added to the result.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pgan_toolkit.errors import UsageError

__all__ = ["SRResNet", "SRResNetConfig"]

_BRANCH_GAIN = 0.1  # of each residual branch at the start, so that 16 of them don't add up


@dataclass(frozen=True)
class SRResNetConfig:
    """Depth, width and factor.

    Attributes
    ----------
    blocks : int
        Residual blocks of two 3x3 convolutions.
    maps : int
        Feature maps.
    scale : int
        Factor of enlargement.
    """

    blocks: int = 16
    maps: int = 64
    scale: int = 4

    def __post_init__(self) -> None:
        for name in ("blocks", "maps", "scale"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)}: expected 1 or more")


class SRResNet(nn.Module):
    """Enlarges a picture.

    Attributes
    ----------
    config : SRResNetConfig
    scale : int
        Output pixels an input pixel and axis.
    stride_px : int
        1: a part may begin anywhere.
    reach_px : int
        How far around a pixel the result depends on the input, input pixels.
    """

    stride_px = 1

    def __init__(self, config: SRResNetConfig = SRResNetConfig()) -> None:
        super().__init__()
        self.config = config
        self.scale = config.scale
        self.reach_px = 2 * config.blocks + 3
        self.first = _convolution(3, config.maps)
        self.blocks = nn.ModuleList(_Block(config.maps) for _ in range(config.blocks))
        self.after_blocks = _convolution(config.maps, config.maps, gain=_BRANCH_GAIN)
        self.last = _convolution(config.maps, 3 * config.scale**2, gain=_BRANCH_GAIN)

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge float (N, 3, H, W), 0..1, to (N, 3, scale H, scale W)."""
        shallow = self.first(images)
        deep = shallow
        for block in self.blocks:
            deep = block(deep)
        detail = self.last(shallow + self.after_blocks(deep))
        repeated = images.repeat_interleave(self.scale**2, dim=1)
        return functional.pixel_shuffle(detail + repeated, self.scale)


class _Block(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.before = _convolution(maps, maps)
        self.after = _convolution(maps, maps, gain=_BRANCH_GAIN)

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = features + self.after(torch.relu(self.before(features)))
        return result


def _convolution(inputs: int, outputs: int, *, gain: float = 1.0) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # there is one: bias=True
    with torch.no_grad():
        layer.weight.mul_(gain)
    return layer
