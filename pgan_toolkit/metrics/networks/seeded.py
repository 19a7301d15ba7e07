"""Weights drawn by a rule, for proofs and trials where no trained ones are at hand."""

import math
import zlib
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

__all__ = ["seeded_tensors"]


def seeded_tensors(network: nn.Module) -> dict[str, Tensor]:
    """Draw every tensor of a network: the same with every version of torch and on every machine.

    NumPy's `RandomState`, whose numbers are frozen, is seeded by the CRC-32 of the tensor's name:

    - two dimensions or more (weights): normal, of deviation sqrt(2 / fan in) (He et al., 2015);
    - names that end in `running_var`, or in `weight` with one dimension: uniform in 0.5..1.5;
    - other floating-point tensors (biases, `running_mean`): normal, of deviation 0.1;
    - counters are left out.

    Parameters
    ----------
    network : Module
        Gives the names and the shapes.

    Returns
    -------
    dict of str to Tensor
        float32, on the CPU.
    """
    shapes: Mapping[str, torch.Size] = {
        name: tensor.shape
        for name, tensor in network.state_dict().items()
        if tensor.is_floating_point()
    }
    return {name: torch.from_numpy(_drawn(name, tuple(shape))) for name, shape in shapes.items()}


def _drawn(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    random = np.random.RandomState(zlib.crc32(name.encode()))
    if len(shape) > 1:
        deviation = math.sqrt(2 / math.prod(shape[1:]))
        return np.asarray(random.standard_normal(shape) * deviation, dtype=np.float32)
    if name.endswith(("running_var", "weight")):
        return random.uniform(0.5, 1.5, shape).astype(np.float32)
    return np.asarray(random.standard_normal(shape) * 0.1, dtype=np.float32)
