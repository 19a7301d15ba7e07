"""A device whose memory does not suffice, told as an error of ours."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from pgan_toolkit.errors import SetupError
from reference_trainer.configuration import RunSettings
from reference_trainer.schedule import Phase, divide_minibatch
from reference_trainer.training.distributed import World

__all__ = ["enough_memory"]


@contextmanager
def enough_memory(
    phase: Phase, settings: RunSettings, *, world: World, remedy: Callable[[str], str]
) -> Iterator[None]:
    """Say at which resolution a device's memory did not suffice, and what to do.

    Parameters
    ----------
    phase : Phase
        What is computed.
    settings : RunSettings
        Of the run.
    world : World
        This process and its device.
    remedy : callable
        Says how to begin again with this added to the command: " --set microbatch_size=2"; nothing
        is added where a single picture was too much.

    Raises
    ------
    SetupError
        In place of torch's own error.
    """
    try:
        yield
    except RuntimeError as error:
        if not _is_full(error):
            raise
        division = divide_minibatch(phase.minibatch_size, settings, world_size=world.size)
        at_once = division.microbatch
        change = f" --set microbatch_size={at_once // 2}" if at_once > 1 else ""
        raise SetupError(
            f"{world.device}: out of memory at {phase.resolution}x{phase.resolution} with "
            f"{at_once} pictures at once; {remedy(change)}, or do so on a GPU with more memory"
        ) from error


def _is_full(error: RuntimeError) -> bool:
    # cuBLAS and cuDNN have errors of their own for it.
    return isinstance(error, torch.OutOfMemoryError) or "_STATUS_ALLOC_FAILED" in str(error)
