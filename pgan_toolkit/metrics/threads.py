"""A map over threads for CPU work in NumPy and torch, each call of which stays in its thread."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

__all__ = ["parallel_map"]

_Item = TypeVar("_Item")
_Out = TypeVar("_Out")


def parallel_map(function: Callable[[_Item], _Out], items: Sequence[_Item]) -> list[_Out]:
    """Apply a function to all items, on as many threads as torch uses; return results in order.

    Inside, torch has one thread a call: whole pieces of work that run side by side wait for each
    other once, not at every operation, and a result cannot depend on how many threads there are.
    (Threads that wait for each other at every operation spin meanwhile; on a busy machine that was
    measured to take ten times as long.)

    Parameters
    ----------
    function : callable
        Does nearly all its work in NumPy or torch, which let other threads run meanwhile.
    items : sequence
        One call each.
    """
    with _one_torch_thread() as threads:
        if threads == 1 or len(items) == 1:
            return [function(item) for item in items]
        with ThreadPoolExecutor(min(threads, len(items))) as pool:
            return list(pool.map(function, items))


@contextmanager
def _one_torch_thread() -> Iterator[int]:
    """Set torch to one thread, also in threads that begin meanwhile; yield how many it had."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield before
    finally:
        torch.set_num_threads(before)
