"""Table 2 of the paper: two 3x3 convolutions a resolution; with fewer maps, Table 1's and others.

Names of sizes follow the picture's: the block "8" of G ends, and that of D begins, at 8x8.
"""

import dataclasses

from torch import nn

from reference_trainer.networks.discriminator import Discriminator, DiscriminatorBlock
from reference_trainer.networks.generator import Generator
from reference_trainer.networks.layers import ConvLayer, Downscale, LatentLayer, Upscale
from reference_trainer.networks.recipes import (
    Plan,
    dense_end,
    linear,
    statistic,
    statistic_maps,
)

__all__ = ["table2_discriminator", "table2_generator"]

_SMALLEST = 4


def _sizes(plan: Plan) -> list[int]:
    """Return 8, 16, ... up to the run's resolution."""
    return [2**power for power in range(3, plan.resolution.bit_length())]


def table2_generator(plan: Plan) -> Generator:
    """Return G as Table 2 has it."""
    style, settings = plan.g_style(), plan.settings.generator
    maps = plan.g_maps(_SMALLEST)
    first = LatentLayer(settings.latent_size + plan.label_count, maps, style=style)
    blocks: dict[int, nn.Module] = {
        _SMALLEST: nn.Sequential(first, ConvLayer(maps, maps, 3, style=style))
    }
    for size in _sizes(plan):
        before, maps = plan.g_maps(size // 2), plan.g_maps(size)
        blocks[size] = nn.Sequential(
            Upscale(),
            ConvLayer(before, maps, 3, style=style),
            ConvLayer(maps, maps, 3, style=style),
        )
    to_rgb = {
        size: ConvLayer(
            plan.g_maps(size), plan.channels, 1, style=linear(style), gain=1.0, exact=True
        )
        for size in plan.resolutions
    }
    return Generator(
        blocks,
        to_rgb,
        latent_size=settings.latent_size,
        label_count=plan.label_count,
        normalize_latents=settings.normalize_latents,
        output=settings.output,
    )


def table2_discriminator(plan: Plan) -> Discriminator:
    """Return D as Table 2 has it."""
    style = plan.d_style()
    # Normalisation is of 3x3 and 4x4 convolutions only, as in the authors' program.
    plain = dataclasses.replace(style, normalization="none")
    from_rgb = {
        size: ConvLayer(plan.channels, plan.d_maps(size), 1, style=plain)
        for size in reversed(plan.resolutions)
    }
    blocks = {}
    for size in reversed(_sizes(plan)):
        maps, after = plan.d_maps(size), plan.d_maps(size // 2)
        blocks[size] = DiscriminatorBlock(
            ConvLayer(maps, maps, 3, style=style),
            ConvLayer(maps, after, 3, style=style),
            Downscale(),
        )
    maps, features = plan.d_maps(_SMALLEST), plan.d_maps(_SMALLEST // 2)
    end = DiscriminatorBlock(
        *statistic(plan),
        ConvLayer(maps + statistic_maps(plan), maps, 3, style=style),
        ConvLayer(maps, features, 4, style=style),
    )
    return Discriminator(
        blocks,
        from_rgb,
        end,
        dense_end(plan, features),
        resolutions=plan.resolutions,
        channels=plan.channels,
        label_count=plan.label_count,
    )
