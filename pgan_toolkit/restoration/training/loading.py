"""Minibatches, made ahead of time by threads."""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pgan_toolkit.engines import available_cores
from pgan_toolkit.restoration.training.pictures import CropPairs, Pair

__all__ = ["Minibatch", "minibatches", "stacked"]

_AHEAD = 3  # minibatches in the making
_MOST_THREADS = 8


class Minibatch(NamedTuple):
    """uint8 (N, 3, h, w) given and (N, 3, H, W) wanted."""

    given: Tensor
    target: Tensor


def minibatches(
    pairs: CropPairs, *, size: int, first: int, last: int
) -> Generator[Minibatch, None, None]:
    """Yield the minibatches of steps first to last - 1; step i has pairs i size to (i + 1) size.

    Who does not take all of them closes it, which ends the threads.
    """
    with ThreadPoolExecutor(min(available_cores(), _MOST_THREADS)) as pool:
        waiting: deque[list[Future[Pair]]] = deque()
        try:
            for step in range(first, last + _AHEAD):
                if step < last:
                    numbers = range(step * size, (step + 1) * size)
                    waiting.append([pool.submit(pairs.pair, number) for number in numbers])
                if step - first >= _AHEAD and waiting:
                    yield stacked([future.result() for future in waiting.popleft()])
        finally:
            pool.shutdown(cancel_futures=True)


def stacked(pairs: list[Pair]) -> Minibatch:
    """Put pairs into two tensors."""
    return Minibatch(
        torch.from_numpy(np.stack([pair.given.transpose(2, 0, 1) for pair in pairs])),
        torch.from_numpy(np.stack([pair.target.transpose(2, 0, 1) for pair in pairs])),
    )
