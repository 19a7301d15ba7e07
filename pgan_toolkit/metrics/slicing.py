"""Wasserstein distances of two sets of descriptors along random directions."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.devices import whole_float32
from pgan_toolkit.errors import SetupError
from pgan_toolkit.imaging import sum_of_absolute_differences
from pgan_toolkit.metrics.descriptor_store import DescriptorStore
from pgan_toolkit.metrics.descriptors import SwdSettings
from pgan_toolkit.metrics.sorted_side import SortedPart
from pgan_toolkit.metrics.threads import parallel_map
from pgan_toolkit.randomness import generator

__all__ = ["DescriptorSet", "Slicer", "random_directions"]

_Keep = Callable[[int, NDArray[np.float32], float], None]

_IMAGES_A_PIECE = {"cpu": 32, "cuda": 256}
_FEWEST_DIRECTIONS, _MOST_DIRECTIONS = 64, 256
"""Of a matrix product. On the CPU its shape depends on the number of patches alone, not on memory,
batches or threads: a library may round differently for another shape."""
_CPU_BYTES = 512 * 2**20
"""Of projections held at once, where that is enough for the fewest directions."""
_CPU_PAD = 16
"""Numbers that follow each row unused: rows that lie a power of two apart, as those of 2^n patches
do, share few places of a cache, and a product that writes to 64 of them took a third longer."""


@dataclass(frozen=True)
class DescriptorSet:
    """Some images of a store, which may repeat: `picks` as `DescriptorStore.read` takes them."""

    store: DescriptorStore
    picks: NDArray[np.int64]

    @property
    def patches(self) -> int:
        """Number of descriptors a level."""
        return len(self.picks) * self.store.shapes[0][0]

    def normalisation(self, level: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and population standard deviation by channel, from exact sums."""
        sums, squares = self.store.moments(level, self.picks).tolist()
        count = self.patches * self.store.shapes[level][1] // 3
        means = [total / count for total in sums]
        deviations = [
            math.sqrt(count * square - total**2) / count
            for total, square in zip(sums, squares, strict=True)
        ]
        return np.array(means), np.array(deviations)


def random_directions(
    level: tuple[int, int], repeat: int, *, settings: SwdSettings
) -> NDArray[np.float64]:
    """Return unit vectors (directions, dimensions), the same for all sets of a seed.

    The dimensions are in the order of `cut_descriptors`.

    Parameters
    ----------
    level : (int, int)
        Height and width of the level.
    repeat : int
        Which of the independent repeats.
    settings : SwdSettings
        How many, and the seed.
    """
    random = generator(settings.seed, f"swd directions {level[0]}x{level[1]}", repeat)
    by_channel = random.standard_normal((settings.directions, 3, settings.dimensions // 3))
    vectors = by_channel.transpose(0, 2, 1).reshape(settings.directions, -1)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


class Slicer:
    """Projects, sorts and compares sets of one size; its memory serves all levels.

    Parameters
    ----------
    patches : int
        Descriptors of either set at a level.
    device : torch.device
        Where to compute. A GPU that runs out of memory takes fewer directions at once.
    """

    def __init__(self, patches: int, *, device: torch.device) -> None:
        self.patches = patches
        self.device = device
        self._rows = self._fitting_rows()
        self._product = _FEWEST_DIRECTIONS if device.type != "cpu" else self._rows
        self._buffers: tuple[Tensor, Tensor] | None = None

    def distances(
        self,
        real: DescriptorSet | SortedPart,
        fake: DescriptorSet,
        *,
        level: int,
        directions: NDArray[np.float64],
        keep: _Keep | None = None,
    ) -> NDArray[np.float64]:
        """Return the 1-Wasserstein distance of the normalised sets along each direction.

        Parameters
        ----------
        real, fake : DescriptorSet
            Each is normalised by its own mean and population standard deviation by channel; a
            channel without any deviation becomes 0. Of the real one rows will do that were sorted
            along the same directions.
        level : int
            Of the pyramid; 0 is the finest.
        directions : array
            float64 (directions, dimensions), unit vectors.
        keep : callable | None
            On the CPU: takes the number of each direction, the sorted real row, and what is to be
            added to it; by several threads at once.

        Returns
        -------
        array
            float64 (directions,).

        Raises
        ------
        SetupError
            The GPU has not even memory for one direction.
        """
        found = np.empty(len(directions))
        start = 0
        while start < len(directions):
            some = directions[start : start + self._rows]
            try:
                found[start : start + len(some)] = self._pass(
                    real, fake, level, some, first=start, keep=keep
                )
            except torch.OutOfMemoryError as error:
                self._take_fewer(error)
            else:
                start += len(some)
        return found

    def _pass(
        self,
        real: DescriptorSet | SortedPart,
        fake: DescriptorSet,
        level: int,
        directions: NDArray[np.float64],
        *,
        first: int,
        keep: _Keep | None,
    ) -> NDArray[np.float64]:
        if self._buffers is None or len(self._buffers[0]) < len(directions):
            self._buffers = None  # before there are others
            count = min(self._rows, len(directions))
            self._buffers = (self._new(count), self._new(count))
        rows, others = (buffer[: len(directions)] for buffer in self._buffers)
        with whole_float32():
            moved = self._project(fake, level, directions, out=others)
            if isinstance(real, SortedPart):
                known = partial(_known_row, real, level, first, rows.numpy())
                return _distances_on_cpu(known, others.numpy(), moved)
            offsets = self._project(real, level, directions, out=rows)
        if self.device.type != "cpu":
            return _sort_on_gpu(rows, others, offsets - moved)

        def read(number: int) -> tuple[NDArray[np.float32], float]:
            row, offset = rows[number].numpy(), float(offsets[number])
            row.sort()
            if keep is not None:
                keep(first + number, row, offset)
            return row, offset

        return _distances_on_cpu(read, others.numpy(), moved)

    def _project(
        self, chosen: DescriptorSet, level: int, directions: NDArray[np.float64], *, out: Tensor
    ) -> NDArray[np.float64]:
        """Project the normalised descriptors but for an offset a direction, which is returned.

        The normalisation is folded into the directions; only the whole steps of the mean are taken
        off the integers, exactly, so that nothing is lost to cancellation.
        """
        mean, deviation = chosen.normalisation(level)
        pixels = directions.shape[1] // 3
        inverse = np.divide(1, deviation, out=np.zeros(3), where=deviation > 0)
        mean, inverse = np.tile(mean, pixels), np.tile(inverse, pixels)
        whole = np.round(mean)
        scaled = directions * inverse
        weights = torch.from_numpy(scaled.astype(np.float32)).to(self.device)
        steps = torch.from_numpy(whole.astype(np.float32)).to(self.device)

        together = _IMAGES_A_PIECE["cpu" if self.device.type == "cpu" else "cuda"]

        def project(first: int) -> None:
            picks = chosen.picks[first : first + together]
            piece = torch.from_numpy(chosen.store.read(level, picks))
            values = piece.to(self.device).float().sub_(steps)
            start = first * (self.patches // len(chosen.picks))
            columns = out[:, start : start + len(values)]
            for row in range(0, len(weights), self._product):
                rows = slice(row, row + self._product)
                torch.mm(weights[rows], values.T, out=columns[rows])

        firsts = range(0, len(chosen.picks), together)
        if self.device.type == "cpu":
            parallel_map(project, firsts)
        else:
            for first in firsts:
                project(first)
        return np.asarray(scaled @ (whole - mean))

    def _new(self, count: int) -> Tensor:
        """Return room for so many rows."""
        width = self.patches + (_CPU_PAD if self.device.type == "cpu" else 0)
        room = torch.empty((count, width), dtype=torch.float32, device=self.device)
        return room[:, : self.patches]

    def _fitting_rows(self) -> int:
        """How many directions to take at once: whole products, by the memory."""
        room = _CPU_BYTES
        a_row = 2 * 4 * self.patches
        if self.device.type == "cuda":
            # Sorting takes the values again and indices of 8 bytes.
            room, a_row = torch.cuda.mem_get_info(self.device)[0] // 2, 3 * a_row
        rows = max(room // a_row // _FEWEST_DIRECTIONS, 1) * _FEWEST_DIRECTIONS
        return min(rows, _MOST_DIRECTIONS) if self.device.type == "cpu" else rows

    def _take_fewer(self, error: torch.OutOfMemoryError) -> None:
        self._buffers = None
        if self._rows == 1:
            raise SetupError(
                f"{self.device}: no memory to sort {self.patches:,} patches: use --device cpu"
            ) from error
        self._rows //= 2
        torch.cuda.empty_cache()


def _known_row(
    real: SortedPart, level: int, first: int, rows: NDArray[np.float32], number: int
) -> tuple[NDArray[np.float32], float]:
    return rows[number], real.read(level, first + number, rows[number])


def _distances_on_cpu(
    read: Callable[[int], tuple[NDArray[np.float32], float]],
    others: NDArray[np.float32],
    moved: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Compare what `read` gives sorted, with what is to be added, to others, which are sorted."""

    def distance(number: int) -> float:
        row, offset = read(number)
        other = others[number]
        # NumPy sorts contiguous rows with AVX-512 or AVX2, many times as fast as torch does.
        other.sort()
        np.add(row, np.float32(offset - moved[number]), out=row)
        return sum_of_absolute_differences(row, other) / len(other)

    return np.array(parallel_map(distance, range(len(others))))


def _sort_on_gpu(rows: Tensor, others: Tensor, offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    rows.copy_(rows.sort(dim=1).values)
    difference = rows.sub_(others.sort(dim=1).values)
    difference.add_(torch.from_numpy(offsets).to(rows)[:, None])
    return np.asarray(difference.abs_().mean(dim=1, dtype=torch.float64).cpu().numpy())
