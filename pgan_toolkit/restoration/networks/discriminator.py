"""What tells an enlarged picture from a real one: the discriminator of SRGAN.

Source: Ledig et al., CVPR 2017, figure 4: 3x3 convolutions whose maps double whenever a stride of 2
halves the picture, leaky ReLU 0.2. What differs: spectral normalisation (Miyato et al. 2018) takes
the place of batch normalisation, and the dense layers at the end are convolutions, so that every
position gets a verdict of its own and any size can be judged.
"""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["Discriminator", "DiscriminatorConfig"]

_SLOPE = 0.2


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Width and depth.

    Attributes
    ----------
    maps : int
        Feature maps at the picture's own resolution; doubled at each halving, up to 8 times that.
    halvings : int
        How often the picture is halved.
    """

    maps: int = 32
    halvings: int = 4


class Discriminator(nn.Module):
    """Scores how real each place of a picture looks."""

    def __init__(self, config: DiscriminatorConfig = DiscriminatorConfig()) -> None:
        super().__init__()
        self.config = config
        widths = [config.maps * min(2**level, 8) for level in range(config.halvings + 1)]
        layers = [_convolution(3, widths[0], stride=1)]
        for before, after in itertools.pairwise(widths):
            layers += [_convolution(before, before, stride=2), _convolution(before, after)]
        self.layers = nn.ModuleList(layers)
        # Not normalised: a verdict may be as sure as it likes.
        self.verdict = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Judge float (N, 3, H, W), 0..1.

        Returns
        -------
        Tensor
            (N, 1, h, w): one score, a logit, a place.
        list of Tensor
            The features of each layer, for a feature-matching term.
        """
        features = []
        values = images
        with parametrize.cached():
            self._normalise(images.device)
            for layer in self.layers:
                values = leaky_relu(layer(values), _SLOPE)
                features.append(values)
        return self.verdict(values), features

    def _normalise(self, device: torch.device) -> None:
        """Have the weights made, which are kept in the cache: exactly, where CUDA would not."""
        with torch.autocast(device.type, enabled=False):
            for layer in self.layers:
                _ = layer.weight


def _convolution(inputs: int, outputs: int, *, stride: int = 1) -> nn.Module:
    return spectral_norm(nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1))
