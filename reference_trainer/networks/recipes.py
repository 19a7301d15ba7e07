"""What the three architectures have in common: how many maps, which style, which statistic."""

import dataclasses
from dataclasses import dataclass

import torch
from torch import nn

from pgan_toolkit.errors import UsageError
from reference_trainer.configuration import RunSettings
from reference_trainer.networks.layers import DenseLayer, Layer, LayerStyle
from reference_trainer.networks.minibatch import MinibatchDiscrimination, MinibatchStddev

__all__ = ["Plan", "dense_end", "feature_maps", "linear", "statistic", "statistic_maps"]


@dataclass(frozen=True)
class Plan:
    """What a network is built from.

    Attributes
    ----------
    settings : RunSettings
    channels : int
        Of the pictures.
    label_count : int
        Kinds of label, 0 for none.
    generator : torch.Generator
        Weights are drawn from it.
    """

    settings: RunSettings
    channels: int
    label_count: int
    generator: torch.Generator

    @property
    def resolution(self) -> int:
        """That the run ends with, pixels."""
        return self.settings.data.resolution

    @property
    def resolutions(self) -> tuple[int, ...]:
        """At which pictures come out and go in: all from the first on, or the last alone."""
        first = self.settings.schedule.first_resolution
        if not self.settings.schedule.growing:
            return (self.resolution,)
        return tuple(2**power for power in range(_log2(first), _log2(self.resolution) + 1))

    def g_maps(self, resolution: int) -> int:
        """Return G's feature maps at a power of two."""
        g = self.settings.generator
        return feature_maps(resolution, base=g.g_map_base, most=g.g_map_most)

    def d_maps(self, resolution: int) -> int:
        """Return D's feature maps at a power of two."""
        d = self.settings.discriminator
        return feature_maps(resolution, base=d.d_map_base, most=d.d_map_most)

    def g_style(self) -> LayerStyle:
        """Return the style of G's layers."""
        g = self.settings.generator
        return LayerStyle(
            generator=self.generator,
            equalized=g.weight_scaling == "equalized",
            normalization=g.g_normalization,
            activation=g.g_activation,
            leak=g.leak,
        )

    def d_style(self) -> LayerStyle:
        """Return the style of D's layers, whose activation is the leaky ReLU always."""
        return dataclasses.replace(
            self.g_style(),
            normalization=self.settings.discriminator.d_normalization,
            activation="leaky_relu",
        )


def _log2(resolution: int) -> int:
    return resolution.bit_length() - 1


def feature_maps(resolution: int, *, base: int, most: int) -> int:
    """Return min(base / 2^(log2(resolution) - 1), most), rounded down.

    Raises
    ------
    UsageError
        That is none.
    """
    maps = min(base >> (_log2(resolution) - 1), most)
    if maps < 1:
        raise UsageError(
            f"map base {base}: leaves no feature map at {resolution} pixels; expected "
            f"g_map_base and d_map_base of {resolution // 2} or more"
        )
    return maps


def linear(style: LayerStyle) -> LayerStyle:
    """Return the style of a layer without activation and normalisation."""
    return dataclasses.replace(style, activation="linear", normalization="none")


def statistic(plan: Plan) -> list[Layer]:
    """Return the layer that adds a map of the minibatch's deviation, where there is one."""
    d = plan.settings.discriminator
    return [MinibatchStddev(d.stddev_group)] if d.minibatch_statistic == "stddev" else []


def statistic_maps(plan: Plan) -> int:
    """Return how many maps `statistic` adds."""
    return len(statistic(plan))


def dense_end(plan: Plan, features: int) -> nn.Sequential:
    """Return D's last layers: minibatch discrimination, where there is some, and the scores.

    Labels' logits are more outputs of the same dense layer (AC-GAN, Odena et al. 2017, as the
    authors' program has it).
    """
    style = linear(plan.d_style())
    layers: list[Layer] = []
    if plan.settings.discriminator.minibatch_statistic == "discrimination":
        layers.append(MinibatchDiscrimination(features, style=style))
        features += MinibatchDiscrimination.added
    return nn.Sequential(*layers, DenseLayer(features, 1 + plan.label_count, style=style))
