"""A device whose memory does not suffice, told as an error of ours."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

from pgan_toolkit.devices import has_bfloat16
from pgan_toolkit.errors import SetupError, UsageError
from reference_trainer.configuration import RunSettings, change_settings
from reference_trainer.division import check_divisions, divide_minibatch
from reference_trainer.schedule import Phase
from reference_trainer.training.distributed import World

__all__ = ["enough_for_networks", "enough_memory", "less_memory"]

_SAID_WHEN_FULL = (
    "_STATUS_ALLOC_FAILED",  # cuBLAS and cuDNN
    "unable to find an engine to execute this computation",  # cuDNN, after trying all of them
    "CUDA error: out of memory",  # what does not go through torch's allocator, as pinned memory
    "DefaultCPUAllocator: ",
)


def enough_memory(
    phase: Phase, settings: RunSettings, *, world: World, remedy: Callable[[str], str]
) -> AbstractContextManager[None]:
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
        is added where no change would help, see `less_memory`.

    Raises
    ------
    SetupError
        In place of torch's own error.
    """

    def told() -> str:
        division = divide_minibatch(phase.minibatch_size, settings, world_size=world.size)
        change = less_memory(phase, settings, world=world)
        return (
            f"{world.device}: out of memory at {phase.resolution}x{phase.resolution} with "
            f"{division.most_at_once} pictures at once; "
            f"{remedy(f' --set {change}' if change else '')}, or do so on a GPU with more memory"
        )

    return _full_memory_told(told)


def enough_for_networks(device: torch.device) -> AbstractContextManager[None]:
    """Say where a device's memory did not suffice for the networks themselves, and what to do.

    Raises
    ------
    SetupError
        In place of torch's own error.
    """
    return _full_memory_told(
        lambda: (
            f"{device}: no memory for the networks alone; --dry-run says how large they are: set "
            "latent_size, g_map_base, g_map_most, d_map_base or d_map_most lower"
        )
    )


@contextmanager
def _full_memory_told(told: Callable[[], str]) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if not _is_full(error):
            raise
        raise SetupError(told()) from error


def less_memory(phase: Phase, settings: RunSettings, *, world: World) -> str:
    """Return the change of one setting with which a step takes less memory.

    Fewer pictures at once come first, for the minibatch stays what it was, but not one alone where
    D compares pictures; then bfloat16; then a smaller minibatch, the paper's own remedy (appendix
    A.1). The change leaves all later resolutions possible.

    Parameters
    ----------
    phase, settings, world
        As for `enough_memory`.

    Returns
    -------
    str
        "microbatch_size=3"; nothing where no change helps.
    """
    at_once = divide_minibatch(phase.minibatch_size, settings, world_size=world.size).most_at_once
    for size in _a_half_or_so(at_once):
        if _fits(settings, change := f"microbatch_size={size}", world):
            return change
    if settings.optimization.precision != "bfloat16" and has_bfloat16(world.device):
        return "precision=bfloat16"
    for size in _a_half_or_so(phase.minibatch_size):
        if _fits(settings, change := f"minibatch_sizes.{phase.resolution}={size}", world):
            return change
    return ""


def _a_half_or_so(number: int) -> Iterator[int]:
    """Yield what is less than a number, its half and what is below that first."""
    yield from range(number // 2, 0, -1)
    yield from range(number // 2 + 1, number)


def _fits(settings: RunSettings, change: str, world: World) -> bool:
    try:
        check_divisions(change_settings(settings, [change]), world_size=world.size)
    except UsageError:
        return False
    return True


def _is_full(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(
        words in str(error) for words in _SAID_WHEN_FULL
    )
