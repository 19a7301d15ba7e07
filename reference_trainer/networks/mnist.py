"""The small networks of Table 4: the authors' reading, and PacGAN's.

Both have one 3x3 convolution a resolution, a 3x3 convolution to pictures, and a dense layer right
on maps of 4x4. The paper takes its experiment from Metz et al. 2017; so does PacGAN (Lin et al.
2018), with whose published program the strided networks agree in sizes, padding and maps.
"""

import dataclasses

from torch import nn

from reference_trainer.networks.discriminator import Discriminator, DiscriminatorBlock
from reference_trainer.networks.generator import Generator
from reference_trainer.networks.layers import (
    ConvLayer,
    Downscale,
    LatentLayer,
    StridedConvLayer,
    TransposedConvLayer,
    Upscale,
)
from reference_trainer.networks.recipes import (
    Plan,
    dense_end,
    linear,
    statistic,
    statistic_maps,
)

__all__ = [
    "pooled_discriminator",
    "pooled_generator",
    "strided_discriminator",
    "strided_generator",
]

_SMALLEST = 4
_STRIDED = {7: 8, 14: 16, 28: 32}
"""Sizes of the strided networks, and the powers of two whose number of maps they have."""


def pooled_generator(plan: Plan) -> Generator:
    """Return the authors' G: from each resolution to the next by repetition."""
    style = plan.g_style()
    blocks: dict[int, nn.Module] = {_SMALLEST: _first_layer(plan)}
    for size in _sizes(plan):
        before, maps = plan.g_maps(size // 2), plan.g_maps(size)
        blocks[size] = nn.Sequential(Upscale(), ConvLayer(before, maps, 3, style=style))
    return _generator(plan, blocks, {size: plan.g_maps(size) for size in plan.resolutions})


def pooled_discriminator(plan: Plan) -> Discriminator:
    """Return the authors' D: from each resolution to the next by 2x2 means.

    Pictures of the last resolution go into its convolution as they are. While smaller ones come in,
    a 1x1 convolution makes of them as many maps as come out of the block above.
    """
    style = plan.d_style()
    plain = dataclasses.replace(style, normalization="none")
    from_rgb = {
        size: ConvLayer(plan.channels, plan.d_maps(2 * size), 1, style=plain)
        for size in reversed(plan.resolutions)
        if size < plan.resolution
    }
    blocks, before = {}, plan.channels
    for size in reversed(_sizes(plan)):
        convolution = ConvLayer(before, plan.d_maps(size), 3, style=style)
        blocks[size] = DiscriminatorBlock(convolution, Downscale())
        before = plan.d_maps(size)
    return _discriminator(plan, blocks, from_rgb, maps=before)


def strided_generator(plan: Plan) -> Generator:
    """Return PacGAN's G: transposed convolutions to 7, 14 and 28 pixels."""
    style, before = plan.g_style(), plan.g_maps(_SMALLEST)
    blocks: dict[int, nn.Module] = {_SMALLEST: _first_layer(plan)}
    for size, power in _STRIDED.items():
        maps = plan.g_maps(power)
        blocks[size] = TransposedConvLayer(before, maps, size=size, style=style)
        before = maps
    return _generator(plan, blocks, {plan.resolution: before})


def strided_discriminator(plan: Plan) -> Discriminator:
    """Return PacGAN's D: convolutions of stride 2 to 14, 7 and 4 pixels."""
    style, before = plan.d_style(), plan.channels
    blocks = {}
    for size, power in reversed(_STRIDED.items()):
        maps = plan.d_maps(power)
        blocks[size] = DiscriminatorBlock(StridedConvLayer(before, maps, style=style))
        before = maps
    return _discriminator(plan, blocks, {}, maps=before)


def _sizes(plan: Plan) -> list[int]:
    """Return 8, 16, ... up to the run's resolution."""
    return [2**power for power in range(3, plan.resolution.bit_length())]


def _first_layer(plan: Plan) -> LatentLayer:
    size = plan.settings.generator.latent_size + plan.label_count
    return LatentLayer(size, plan.g_maps(_SMALLEST), style=plan.g_style())


def _generator(plan: Plan, blocks: dict[int, nn.Module], rgb_maps: dict[int, int]) -> Generator:
    settings, style = plan.settings.generator, linear(plan.g_style())
    to_rgb = {
        size: ConvLayer(maps, plan.channels, 3, style=style, gain=1.0, exact=True)
        for size, maps in rgb_maps.items()
    }
    return Generator(
        blocks,
        to_rgb,
        latent_size=settings.latent_size,
        label_count=plan.label_count,
        normalize_latents=settings.normalize_latents,
        output=settings.output,
    )


def _discriminator(
    plan: Plan,
    blocks: dict[int, DiscriminatorBlock],
    from_rgb: dict[int, ConvLayer],
    *,
    maps: int,
) -> Discriminator:
    features = (maps + statistic_maps(plan)) * _SMALLEST**2
    return Discriminator(
        blocks,
        from_rgb,
        DiscriminatorBlock(*statistic(plan)),
        dense_end(plan, features),
        resolutions=plan.resolutions,
        channels=plan.channels,
        label_count=plan.label_count,
    )
