"""What is random in a step, drawn for the whole minibatch and cut to what one process needs.

So results do not depend on the number of processes, and a resumed run needs no generator's state.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pgan_toolkit.randomness import generator

__all__ = ["Draws"]


@dataclass(frozen=True, kw_only=True)
class Draws:
    """The random numbers of one minibatch.

    Attributes
    ----------
    seed : int
        Of the run.
    update : int
        Number of the update that the numbers are for.
    minibatch_size : int
        Pictures over all processes.
    rows : slice
        Those of this process.
    device : torch.device
        Where the numbers go.
    """

    seed: int
    update: int
    minibatch_size: int
    rows: slice
    device: torch.device

    def latents(self, purpose: str, size: int) -> Tensor:
        """Return float32 (n, size), N(0, 1)."""
        numbers = generator(self.seed, purpose, self.update)
        return self._mine(numbers.standard_normal((self.minibatch_size, size), dtype=np.float32))

    def uniform(self, purpose: str) -> Tensor:
        """Return float32 (n,), 0 to 1."""
        numbers = generator(self.seed, purpose, self.update)
        return self._mine(numbers.random(self.minibatch_size, dtype=np.float32))

    def labels(self, purpose: str, counts: Sequence[int]) -> Tensor | None:
        """Return int64 (n,): of pictures drawn with replacement, as in the authors' programs.

        Parameters
        ----------
        purpose : str
            What they are for.
        counts : sequence of int
            Pictures of each label, from 0. None are drawn, and None is returned, where it is empty.
        """
        if not counts:
            return None
        numbers = generator(self.seed, purpose, self.update)
        ends = np.cumsum(counts)
        picture = numbers.integers(ends[-1], size=self.minibatch_size)
        return self._mine(np.searchsorted(ends, picture, side="right"))

    def _mine(self, values: np.ndarray) -> Tensor:
        mine = torch.from_numpy(np.ascontiguousarray(values[self.rows]))
        if self.device.type != "cuda":
            return mine.to(self.device)
        return mine.pin_memory().to(self.device, non_blocking=True)
