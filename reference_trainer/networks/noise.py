"""The noise that keeps LSGAN's competition sane (appendix B)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["MapNoise"]


@dataclass(frozen=True)
class MapNoise:
    """Multiplicative Gaussian noise, one number a picture and map.

    The paper gives its strength; that it is by the map, and grows with the root of their number C,
    are the authors' program: maps are multiplied by 1 + strength sqrt(C) N(0, 1).

    Attributes
    ----------
    strength : float
        0.2 max(0, d_t - 0.5)^2.
    generator : torch.Generator
        Where numbers are drawn: on this generator's device.
    """

    strength: float
    generator: torch.Generator

    def applied(self, values: Tensor) -> Tensor:
        """Return float (N, C, H, W) with noise."""
        count, maps = values.shape[:2]
        drawn = torch.randn(
            (count, maps, 1, 1), generator=self.generator, device=self.generator.device
        ).to(values)
        return values * (1 + self.strength * math.sqrt(maps) * drawn)
