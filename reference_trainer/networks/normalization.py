"""Normalisations: pixelwise (section 4.2 of the paper), and those of row (a) of Table 1."""

import torch
from torch import Tensor, nn

from pgan_toolkit.errors import UsageError

__all__ = ["BatchNorm", "LayerNorm", "PixelNorm", "pixel_norm", "wide"]

_PIXEL_EPSILON = 1e-8
_EPSILON = 1e-4  # of the program's batch and layer norm


def wide(values: Tensor) -> Tensor:
    """Return float16 and bfloat16 as float32, and the wider types as they are."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def pixel_norm(values: Tensor) -> Tensor:
    """Divide each pixel's feature vector by its root mean square (section 4.2).

    Parameters
    ----------
    values : float tensor (N, C, ...)
        Feature maps, or latents (N, C).

    Returns
    -------
    float tensor (N, C, ...)
        Of the same type; what is averaged is averaged in float32 or wider.
    """
    power = wide(values).square().mean(dim=1, keepdim=True)
    return values * torch.rsqrt(power + _PIXEL_EPSILON).to(values.dtype)


class PixelNorm(nn.Module):
    """`pixel_norm` as a layer."""

    def forward(self, values: Tensor) -> Tensor:
        """Normalise float (N, C, H, W)."""
        return pixel_norm(values)


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation with a gain and a shift a map.

    In training the statistics are those of the call; the running ones, which `eval()` uses, follow
    by a tenth a call.
    """

    def __init__(self, maps: int) -> None:
        super().__init__(maps, eps=_EPSILON)

    def forward(self, values: Tensor) -> Tensor:
        """Normalise float (N, C, H, W).

        Raises
        ------
        UsageError
            In training, there is one value a map alone.
        """
        if self.training and values.shape[0] * values[0, 0].numel() < 2:
            raise UsageError(
                "batch normalisation of one picture: expected a minibatch (and microbatch_size) "
                "of 2 or more"
            )
        return super().forward(values)


class LayerNorm(nn.Module):
    """Layer normalisation over maps and places, with one gain in all and a shift a map.

    One gain, as the authors' program has it; Ba et al. 2016 have one a value.
    """

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.bias = nn.Parameter(torch.zeros(maps))

    def forward(self, values: Tensor) -> Tensor:
        """Normalise float (N, C, H, W)."""
        exact = wide(values)
        centred = exact - exact.mean(dim=(1, 2, 3), keepdim=True)
        power = centred.square().mean(dim=(1, 2, 3), keepdim=True)
        # Not through functional.layer_norm, which leaves channels_last.
        result = centred * torch.rsqrt(power + _EPSILON) * self.weight + self.bias[:, None, None]
        return result.to(values.dtype)
