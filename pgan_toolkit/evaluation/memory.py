"""A device without enough memory, told as an error of ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pgan_toolkit.errors import SetupError

__all__ = ["enough_memory"]


@contextmanager
def enough_memory(device: torch.device | str) -> Iterator[None]:
    """Say what to do where a device's memory did not suffice, even for small batches.

    Raises
    ------
    SetupError
        In place of torch's own error.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise SetupError(
            f"{device}: not enough free memory ({error}); end other programs on it, use a smaller "
            "--batch-size, or --device cpu"
        ) from error
