"""A generator of a few numbers, in place of a trained one."""

import torch
from torch import Tensor

from reference_trainer.sampling.sampler import Sampler, SamplerInfo

LATENT_SIZE = 6


def tiny_generator(
    latents: Tensor, *, resolution: int, alpha: float = 1.0, labels: Tensor | None = None
) -> Tensor:
    """Smooth pictures that depend on the latents, the labels and alpha."""
    ramp = torch.linspace(-1, 1, resolution)
    y, x = ramp[:, None], ramp[None, :]
    a = latents[:, :, None, None]
    waves = [torch.sin(a[:, 2 * c] * 3 * x + a[:, 2 * c + 1] * 3 * y + a[:, 0]) for c in range(3)]
    images = torch.stack(waves, dim=1) * alpha
    return images if labels is None else images + 0.1 * labels[:, None, None, None]


def tiny_info(**changes: object) -> SamplerInfo:
    known = {
        "name": "kimg-8.safetensors", "resolution": 16, "stage_resolution": 16, "alpha": 1.0,
        "latent_size": LATENT_SIZE,
    }  # fmt: skip
    return SamplerInfo(**{**known, **changes})


def tiny_sampler() -> Sampler:
    """At module level, so that a source that holds it can be pickled."""
    return Sampler(tiny_generator, tiny_info(), device=torch.device("cpu"))


def sampler_of(**changes: object) -> Sampler:
    return Sampler(tiny_generator, tiny_info(**changes), device=torch.device("cpu"))
