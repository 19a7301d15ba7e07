"""Descriptors of a set, by image: in memory up to a budget, and in a temporary file beyond it."""

import errno
import os
import tempfile
import weakref
from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.errors import DataError, SetupError

__all__ = ["DescriptorStore", "descriptor_moments"]

_FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class _Block:
    """Descriptors of consecutive images: a level each, in memory or at offsets of the file."""

    indices: range
    moments: NDArray[np.int64]
    arrays: tuple[NDArray[np.int16], ...] | None
    offsets: tuple[int, ...] = ()


class DescriptorStore:
    """Holds int16 (images, patches, dimensions) a level, for images known by their index.

    The file has no name (`tempfile.TemporaryFile`, so it obeys TMPDIR): nothing is left of it when
    the process ends, however it ends. It is read in pieces, so that it takes no memory.

    Parameters
    ----------
    memory_gib : float
        How much to hold in memory before the file is begun.
    """

    def __init__(self, *, memory_gib: float) -> None:
        self.memory_gib = memory_gib
        self.shapes: tuple[tuple[int, int], ...] = ()
        self._blocks: list[_Block] = []
        self._ends: NDArray[np.int64] | None = None
        self._held_bytes = 0
        self._file: FileIO | None = None

    def __len__(self) -> int:
        return sum(len(block.indices) for block in self._blocks)

    @property
    def spilled(self) -> bool:
        """Whether some of it lies in the temporary file."""
        return self._file is not None

    def add(
        self,
        indices: range,
        levels: Sequence[NDArray[np.int16]],
        *,
        moments: NDArray[np.int64] | None = None,
    ) -> None:
        """Take descriptors (images, patches, dimensions) of every level, of new images.

        Parameters
        ----------
        indices : range
            Of the images in their set.
        levels : sequence of arrays
            As `cut_descriptors` gives them.
        moments : array | None
            Their `descriptor_moments`, where these are known already.

        Raises
        ------
        DataError
            The levels are not those of the images before.
        SetupError
            There is no room for the temporary file.
        """
        shapes = tuple((level.shape[1], level.shape[2]) for level in levels)
        if self.shapes and shapes != self.shapes:
            raise DataError(f"descriptors of shapes {shapes}; those before have {self.shapes}")
        self.shapes = shapes
        size = sum(level.nbytes for level in levels)
        moments = descriptor_moments(levels) if moments is None else moments
        if self._held_bytes + size <= self.memory_gib * 2**30:
            self._held_bytes += size
            block = _Block(indices, moments, tuple(levels))
        else:
            block = _Block(indices, moments, None, tuple(self._write(level) for level in levels))
        insort(self._blocks, block, key=lambda each: each.indices.start)
        self._ends = None

    def merge(self, other: "DescriptorStore") -> None:
        """Add all that another store has, of other images."""
        for block in other._blocks:
            self.add(block.indices, other._levels(block), moments=block.moments)

    def read(self, level: int, picks: NDArray[np.int64]) -> NDArray[np.int16]:
        """Return the descriptors of some images, which may repeat.

        Parameters
        ----------
        level : int
            0 is the finest.
        picks : array
            int64 (n,), ascending: places of images in the order of their indices, from 0.

        Returns
        -------
        array
            int16 (n * patches, dimensions).
        """
        patches, dimensions = self.shapes[level]
        parts = [self._images(block, level, own) for block, own in self._blocks_of(picks)]
        joined = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return joined.reshape(len(picks) * patches, dimensions)

    def moments(self, level: int, picks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sums of the values and of their squares by channel, int64 (2, 3), exact."""
        parts = [block.moments[level, own].sum(0) for block, own in self._blocks_of(picks)]
        return np.asarray(np.sum(parts, axis=0), np.int64)

    def _blocks_of(self, picks: NDArray[np.int64]) -> Iterator[tuple[_Block, NDArray[np.int64]]]:
        """Yield the blocks that hold the picked images, and the images' places in each."""
        if self._ends is None:
            self._ends = np.cumsum([len(block.indices) for block in self._blocks])
        first, last = np.searchsorted(self._ends, (picks[0], picks[-1]), side="right")
        for number in range(first, last + 1):
            block, end = self._blocks[number], int(self._ends[number])
            start = end - len(block.indices)
            low, high = np.searchsorted(picks, (start, end))
            if low < high:
                yield block, picks[low:high] - start

    def __getstate__(self) -> dict[str, Any]:
        blocks = [(block.indices, self._levels(block)) for block in self._blocks]
        return {"memory_gib": self.memory_gib, "blocks": blocks}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(memory_gib=state["memory_gib"])  # type: ignore[misc]
        for indices, levels in state["blocks"]:
            self.add(indices, levels)

    def _levels(self, block: _Block) -> tuple[NDArray[np.int16], ...]:
        everything = np.arange(len(block.indices))
        return tuple(self._images(block, level, everything) for level in range(len(self.shapes)))

    def _images(self, block: _Block, level: int, picks: NDArray[np.int64]) -> NDArray[np.int16]:
        """Descriptors of some images of a block, by their places in it, ascending."""
        first, last = int(picks[0]), int(picks[-1])
        if block.arrays is not None:
            span = block.arrays[level][first : last + 1]
        else:
            span = self._read(block.offsets[level], first, last + 1, self.shapes[level])
        whole = len(picks) == last + 1 - first and bool((np.diff(picks) == 1).all())
        return span if whole else span[picks - first]

    def _write(self, array: NDArray[np.int16]) -> int:
        """Append to the file; return the offset."""
        try:
            if self._file is None:
                self._file = _temporary_file()
                weakref.finalize(self, self._file.close)
            offset = self._file.seek(0, 2)
            left = np.ascontiguousarray(array).data.cast("B")
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            if error.errno not in _FULL_DISK:
                raise
            raise SetupError(
                f"{tempfile.gettempdir()}: no room for the descriptors of more than {len(self):,} "
                f"images, {self.memory_gib:g} GiB of which are held in memory: set TMPDIR to a "
                "folder with more room, allow more memory (memory_gib), or take fewer images"
            ) from error
        return offset

    def _read(
        self, offset: int, first: int, stop: int, shape: tuple[int, int]
    ) -> NDArray[np.int16]:
        if self._file is None:
            raise RuntimeError("a block is said to lie in a file that was never begun")
        span = np.empty((stop - first, *shape), np.int16)
        offset += first * span[:1].nbytes
        left = span.data.cast("B")
        while left:
            # At an explicit offset, so that threads can read side by side.
            count = os.preadv(self._file.fileno(), [left], offset)
            if not count:
                raise SetupError("the temporary file of descriptors was cut short")
            left, offset = left[count:], offset + count
        return span


def _temporary_file() -> FileIO:
    """Return a nameless file without a buffer, so that a full disk shows where it happens."""
    return tempfile.TemporaryFile(buffering=0, prefix="pgan-descriptors-")


def descriptor_moments(levels: Sequence[NDArray[np.int16]]) -> NDArray[np.int64]:
    """Sums and sums of squares by level, image and channel: int64 (levels, images, 2, 3), exact.

    In float64 they are exact: an image's sum of squares is an integer far below 2^53.
    """
    return np.stack([_moments(level) for level in levels])


def _moments(descriptors: NDArray[np.int16]) -> NDArray[np.int64]:
    images, patches, dimensions = descriptors.shape
    by_pixel = np.empty((images, 2, dimensions))
    every_patch = np.ones(patches)
    # Image by image, so that the wide numbers stay in the cache.
    values = np.empty((patches, dimensions))
    for image, (sums, squares) in zip(descriptors, by_pixel, strict=True):
        np.copyto(values, image)
        every_patch.dot(values, out=sums)
        every_patch.dot(np.square(values, out=values), out=squares)
    return np.asarray(by_pixel.astype(np.int64).reshape(images, 2, -1, 3).sum(2))
