"""What the networks do about autocast: leave it, or take its type beforehand."""

from contextlib import AbstractContextManager

import torch
from torch import Tensor

__all__ = ["exactly", "in_autocasts_type"]


def exactly(device: torch.device) -> AbstractContextManager[None]:
    """Return a context without autocast, for what is cheap and matters."""
    return torch.autocast(_kind(device), enabled=False)


def in_autocasts_type(values: Tensor) -> Tensor:
    """Return float values as autocast gives them to a convolution; as they are where it is off."""
    kind = _kind(values.device)
    if not torch.is_autocast_enabled(kind):
        return values
    return values.to(torch.get_autocast_dtype(kind))


def _kind(device: torch.device) -> str:
    return device.type if device.type in ("cpu", "cuda") else "cpu"  # there is none for "meta"
