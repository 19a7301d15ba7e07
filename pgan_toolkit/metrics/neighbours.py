"""Nearest neighbours: which of many pictures are closest to each of some, by their features.

The distance is Euclidean. Each vector is first rounded to 26 bits of its own length (to 3e-8 of
it), so that float64 holds every inner product without rounding: the distances are the same whatever
the blocks, batches, threads and devices, of equal vectors they are exactly 0, and equal distances
are exactly equal. Of these the lower index goes first.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics.accumulator import next_range, take_ranges

__all__ = ["BLOCK_BYTES", "NeighbourSearch", "Neighbours", "nearest"]

BLOCK_BYTES = 1 << 26
"""Memory of one block of vectors in float64."""

_BITS = 26  # two of them and the carry of any sum stay within float64's 53
_BLOCK_ROWS = 4096  # at most: a block of distances then takes 128 MiB


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The k nearest of each query, nearest first.

    Attributes
    ----------
    indices : int64 tensor (queries, k)
        Which of the other set, on the CPU.
    distances : float64 tensor (queries, k)
        Euclidean, in the unit of the features, on the CPU.
    searched : int
        How many the other set has.
    """

    indices: Tensor
    distances: Tensor
    searched: int


def nearest(fake: Tensor, real: Tensor, *, k: int) -> Neighbours:
    """Find the k nearest of `real` to each of `fake`.

    Parameters
    ----------
    fake, real : float tensors (N, D) and (M, D)
        Features, on one device. Beside them, memory is taken for two blocks of vectors (64 MiB
        each), one of distances (at most 128 MiB, and as much again twice on the way) and the
        result: 0.8 GiB for 30,000 against 50,000, however long the vectors. Only where thousands
        are equally near it is more.
    k : int
        How many, 1 or more.

    Raises
    ------
    UsageError
        k is below 1, or more than there are.
    DataError
        The features are no matrices, of two lengths, or not finite.
    """
    search = NeighbourSearch(fake, k=k)
    search.update(real)
    return search.compute()


class NeighbourSearch:
    """Finds the nearest of a stream, of which it keeps no more than the result.

    Parameters
    ----------
    queries : float tensor (N, D)
        Features, whose neighbours are searched for. They are kept, on their device.
    k : int
        How many for each.
    """

    def __init__(self, queries: Tensor, *, k: int) -> None:
        if k < 1:
            raise UsageError(f"k={k}: expected 1 or more neighbours")
        _require_features(queries, "the queries")
        self._queries = queries
        self._k = k
        self._seen: list[range] = []
        self._indices = torch.empty((len(queries), 0), dtype=torch.int64)
        self._squares = torch.empty((len(queries), 0), dtype=torch.float64)

    def update(self, features: Tensor, *, first: int | None = None) -> None:
        """Look at more of the other set: float (M, D), of which the first has index `first`.

        Raises
        ------
        UsageError
            Some of the indices were seen before.
        DataError
            The features are no matrix, of another length than the queries, or not finite.
        """
        _require_features(features, "features")
        if features.shape[1] != self._queries.shape[1]:
            raise DataError(
                f"features of {features.shape[1]} numbers, queries of {self._queries.shape[1]}: "
                "expected those of one extractor"
            )
        new = next_range(self._seen, first=first, count=len(features))
        rows = _block_rows(features.shape[1])
        for start in range(0, len(features), rows):
            block = features[start : start + rows].to(self._queries.device)
            self._take(*self._in_block(block, first=new.start + start))

    def merge(self, other: "NeighbourSearch") -> None:
        """Take over what a search for the same queries has found in another part of the set.

        Raises
        ------
        UsageError
            It is not of as many queries and neighbours, or saw some of the same indices.
        """
        if (other._k, other._queries.shape) != (self._k, self._queries.shape):
            raise UsageError(
                f"a search of {tuple(other._queries.shape)} for {other._k} cannot be merged into "
                f"one of {tuple(self._queries.shape)} for {self._k}"
            )
        take_ranges(self._seen, other._seen)
        self._take(other._squares, other._indices)

    def compute(self) -> Neighbours:
        """Return the nearest so far.

        Raises
        ------
        UsageError
            Fewer than k were seen.
        """
        searched = sum(len(part) for part in self._seen)
        if searched < self._k:
            raise UsageError(f"k={self._k}: there are only {searched} to search; ask for fewer")
        # NumPy's root is rounded correctly on every machine; torch's is not.
        distances = torch.from_numpy(np.sqrt(self._squares.numpy()))
        return Neighbours(self._indices.clone(), distances, searched)

    def _in_block(self, block: Tensor, *, first: int) -> tuple[Tensor, Tensor]:
        """Squared distances and indices of the nearest within one block, ties by index."""
        there, there_squares = _exact(block)
        k = min(self._k, len(block))
        squares, indices = [], []
        rows = _block_rows(self._queries.shape[1])
        for start in range(0, max(len(self._queries), 1), rows):
            here, here_squares = _exact(self._queries[start : start + rows])
            distances = (here_squares[:, None] + there_squares) - 2 * (here @ there.T)
            # Of two lengths of different exponents the sum can fall short of 0 by its last bit.
            nearest_squares, columns = _smallest(distances.clamp_(min=0), k)
            squares.append(nearest_squares.cpu())
            indices.append(columns.cpu() + first)
        return torch.cat(squares), torch.cat(indices)

    def _take(self, squares: Tensor, indices: Tensor) -> None:
        """Keep the nearest of what was found and of these."""
        indices, order = torch.cat([self._indices, indices], dim=1).sort(dim=1)
        squares = torch.cat([self._squares, squares], dim=1).gather(1, order)
        squares, order = squares.sort(dim=1, stable=True)
        self._squares = squares[:, : self._k]
        self._indices = indices.gather(1, order)[:, : self._k]


def _smallest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k smallest of each row and their columns, in order; of equal ones the first columns.

    What is not above a row's k-th smallest is sorted, not the whole row.
    """
    limits = values.topk(k, dim=1, largest=False).values.amax(1, keepdim=True)
    rows, columns = (values <= limits).nonzero(as_tuple=True)
    found = values[rows, columns]
    order = found.argsort(stable=True)
    order = order[rows[order].argsort(stable=True)]
    counts = rows.bincount(minlength=len(values))
    firsts = counts.cumsum(0) - counts
    chosen = order[firsts[:, None] + torch.arange(k, device=values.device)]
    return found[chosen], columns[chosen]


def _require_features(features: Tensor, name: str) -> None:
    if features.ndim != 2 or not features.is_floating_point():
        raise DataError(f"{name}: {features.dtype} {tuple(features.shape)}; expected floats (N, D)")
    if not bool(features.isfinite().all()):
        raise DataError(f"{name}: some are infinite or no numbers")


def _block_rows(length: int) -> int:
    return min(max(BLOCK_BYTES // (8 * max(length, 1)), 1), _BLOCK_ROWS)


def _exact(features: Tensor) -> tuple[Tensor, Tensor]:
    """Round vectors so that inner products are exact; return them and their squared lengths.

    In units of 2**-26 of a power of two above its length, a vector's numbers are whole and its
    squared length is below 2**52; so is, by Cauchy and Schwarz, every partial sum of an inner
    product of two such vectors, which float64 holds exactly.
    """
    values = features.double()
    # The squared length is a sum of binary fractions, and so never 4/9 of a power of four: however
    # the sum is rounded, the same power of two is found.
    length = 1.5 * torch.linalg.vector_norm(values, dim=1, keepdim=True)
    mantissa, _ = torch.frexp(length)
    power = torch.where(length > 0, length / mantissa, 1.0)  # exact, where pow() need not be
    rounded = (values / power * 2**_BITS).round() * (power / 2**_BITS)
    return rounded, rounded.square().sum(dim=1)
