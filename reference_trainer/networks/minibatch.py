"""What D is told of the whole minibatch, so that it sees when G makes the same again and again."""

import math

import torch
from torch import Tensor

from reference_trainer.networks.autocast import exactly
from reference_trainer.networks.layers import Layer, LayerStyle, drawn_weight
from reference_trainer.networks.normalization import wide

__all__ = [
    "MinibatchDiscrimination",
    "MinibatchStddev",
    "minibatch_discrimination",
    "minibatch_stddev",
    "stddev_group_size",
]

_EPSILON = 1e-8
_KERNELS, _KERNEL_SIZE = 100, 5


def stddev_group_size(count: int, wanted: int) -> int:
    """Return how many pictures a group has, where `wanted` are to be and there are `count`.

    All if `wanted` is 0 or there are fewer; `wanted` if that divides the count; else the divisor
    nearest to it, the smaller of two. A group of one says nothing, so that 1 is left out where
    there is more than one picture: 14 pictures in fours become twos, 7 stay together.
    """
    if wanted == 0 or count <= wanted:
        return count
    divisors = [size for size in range(2, count + 1) if count % size == 0]
    return min(divisors, key=lambda size: abs(size - wanted))


def minibatch_stddev(values: Tensor, *, group: int) -> Tensor:
    """Return the standard deviation of each picture's group, averaged over maps and places.

    Parameters
    ----------
    values : float tensor (N, C, H, W)
        Feature maps.
    group : int
        Pictures a group, 0 for all; see `stddev_group_size`. Picture i is with i + N/group,
        i + 2N/group, ..., as in the authors' program.

    Returns
    -------
    float tensor (N,)
        float32, or float64 if the values are. Source: section 3 of the paper.
    """
    count = values.shape[0]
    size = stddev_group_size(count, group)
    grouped = wide(values).reshape(size, count // size, *values.shape[1:])
    variance = (grouped - grouped.mean(dim=0)).square().mean(dim=0)
    deviation = (variance + _EPSILON).sqrt().mean(dim=(1, 2, 3))
    return deviation.repeat(size)


def minibatch_discrimination(features: Tensor) -> Tensor:
    """Return how close each picture's kernels are to those of the others.

    Parameters
    ----------
    features : float tensor (N, B, C)
        M of Salimans et al. 2016, section 3.2: B kernels of C numbers.

    Returns
    -------
    float tensor (N, B)
        o(x_i)_b = sum over j of exp(-||M_i,b - M_j,b||_1). The paper's sum has j = i too, which
        adds 1; it is left out here, as in the program of Salimans et al.
    """
    distances = (features[:, None] - features[None]).abs().sum(dim=3)
    return torch.exp(-distances).sum(dim=1) - 1


class MinibatchStddev(Layer):
    """Adds `minibatch_stddev` as one more map."""

    title = "Minibatch stddev"

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, values: Tensor) -> Tensor:
        """Take float (N, C, H, W) and return (N, C + 1, H, W)."""
        count, _, height, width = values.shape
        deviation = minibatch_stddev(values, group=self.group).to(values.dtype)
        return torch.cat([values, deviation.view(-1, 1, 1, 1).expand(count, 1, height, width)], 1)


class MinibatchDiscrimination(Layer):
    """Adds `minibatch_discrimination` of 100 learnt kernels of 5 numbers to the features.

    Its weights are as the dense layers': at the start a kernel's numbers are as large as the
    features that it is made from.
    """

    title = f"Minibatch discrimination, {_KERNELS} of {_KERNEL_SIZE}"
    added = _KERNELS

    def __init__(self, features: int, *, style: LayerStyle) -> None:
        super().__init__()
        shape = (_KERNELS * _KERNEL_SIZE, features)
        self.weight, self.scale = drawn_weight(shape, 1 / math.sqrt(features), style=style)

    def forward(self, features: Tensor) -> Tensor:
        """Take float (N, F) and return (N, F + 100), float32 or wider."""
        with exactly(features.device):
            known = features.to(self.weight.dtype)
            kernels = (known @ (self.weight * self.scale).t()).view(-1, _KERNELS, _KERNEL_SIZE)
            return torch.cat([known, minibatch_discrimination(kernels)], dim=1)

    def multiply_adds(self, made: Tensor) -> int:
        """Return those of one picture."""
        return self.weight.numel()
