"""Copies between the host and the device that wait for no more than themselves.

Memory that a GPU can reach by itself ("pinned") is copied while both go on; copying from other
memory would wait for all that the stream still has to do.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["fetched", "sent"]


def sent(values: NDArray[np.generic], device: torch.device) -> Tensor:
    """Return the values on the device."""
    tensor = torch.from_numpy(values)
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def fetched(*values: Tensor) -> list[Tensor]:
    """Copy to the host and wait for it; other threads go on meanwhile."""
    if values[0].device.type == "cpu":
        return list(values)
    copies = [torch.empty(value.shape, dtype=value.dtype, pin_memory=True) for value in values]
    for copy, value in zip(copies, values, strict=True):
        copy.copy_(value, non_blocking=True)
    make_event: Callable[..., torch.cuda.Event] = torch.cuda.Event  # which torch leaves untyped
    done = make_event(blocking=True)  # waiting threads sleep, and leave the cores to decoding
    done.record()
    done.synchronize()
    return copies
