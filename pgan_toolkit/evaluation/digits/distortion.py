"""Small random distortions of digits, drawn anew for every step of training."""

from dataclasses import dataclass
from math import pi

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from torch import Tensor

from pgan_toolkit.errors import UsageError

__all__ = ["Distortion", "distort"]


@dataclass(frozen=True)
class Distortion:
    """How far digits are moved and bent; each amount is drawn uniformly up to its limit.

    Attributes
    ----------
    rotation_deg : float
        Either way.
    scale : float
        Enlarged or shrunk by this share, each axis by itself.
    shear : float
        Sideways, as a share of the height.
    shift_px : float
        Along each axis.
    elastic_px : float
        Standard deviation of a smooth field of displacements (after Simard et al., 2003).
    elastic_nodes : int
        Nodes of that field along an axis, between which it is bicubic.
    """

    rotation_deg: float = 12.0
    scale: float = 0.12
    shear: float = 0.12
    shift_px: float = 2.0
    elastic_px: float = 0.7
    elastic_nodes: int = 6

    def __post_init__(self) -> None:
        amounts = (self.rotation_deg, self.scale, self.shear, self.shift_px, self.elastic_px)
        if not all(0 <= amount < 90 for amount in amounts) or self.scale >= 1:
            raise UsageError(f"{self}: expected amounts of 0 or more, and a scale below 1")
        if self.elastic_nodes < 2:
            raise UsageError(f"elastic_nodes={self.elastic_nodes}: expected 2 or more")


def distort(digits: Tensor, how: Distortion, generator: np.random.Generator) -> Tensor:
    """Return digits moved and bent, each in its own way; what comes in from outside is black.

    Parameters
    ----------
    digits : float tensor (N, 1, H, H)
        Any range; black is 0.
    how : Distortion
        The limits.
    generator : np.random.Generator
        Draws the amounts.

    Returns
    -------
    float tensor (N, 1, H, H)
        Sampled bilinearly.
    """
    count, size_px = len(digits), digits.shape[-1]
    shape = [count, 1, size_px, size_px]
    grid = F.affine_grid(_affine(how, count, size_px, generator), shape, align_corners=False)
    grid = grid + _elastic(how, count, size_px, generator)
    return F.grid_sample(digits, grid.to(digits), align_corners=False)


def _affine(how: Distortion, count: int, size_px: int, generator: np.random.Generator) -> Tensor:
    """Matrices (N, 2, 3) in the coordinates of `affine_grid`: -1..1 from edge to edge."""
    draw = torch.from_numpy(generator.uniform(-1, 1, (6, count)).astype(np.float32))
    angle = draw[0] * (how.rotation_deg * pi / 180)
    scale_x, scale_y = 1 + how.scale * draw[1], 1 + how.scale * draw[2]
    shear = how.shear * draw[3]
    shift = how.shift_px * 2 / size_px * draw[4:6]
    cos, sin = angle.cos(), angle.sin()
    rows = (
        torch.stack([cos * scale_x, (cos * shear - sin) * scale_y, shift[0]], 1),
        torch.stack([sin * scale_x, (sin * shear + cos) * scale_y, shift[1]], 1),
    )
    return torch.stack(rows, 1)


def _elastic(how: Distortion, count: int, size_px: int, generator: np.random.Generator) -> Tensor:
    """Displacements (N, H, H, 2) in the coordinates of `affine_grid`."""
    shape = (count, 2, how.elastic_nodes, how.elastic_nodes)
    nodes = torch.from_numpy(generator.standard_normal(shape, np.float32))
    field = F.interpolate(nodes, size=(size_px, size_px), mode="bicubic", align_corners=True)
    return field.permute(0, 2, 3, 1) * (how.elastic_px * 2 / size_px)
