"""Real sides of the SWD that were projected and sorted before, kept in the cache.

The numbers are those that sorting would give again, bit for bit: a file of float32 that is mapped
and read at the speed of memory, 786 KB an image of 64x64 by the published protocol and 262 KB more
for each further level. Beside it lie the sums of its rows, by which damage is seen.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pgan_toolkit.evaluation.cache import Entry, StatisticsCache, cache_key
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.sorted_side import KeepRow, RowLayout, SortedSide
from pgan_toolkit.metrics.swd_comparison import flat_levels
from pgan_toolkit.metrics.swd_statistics import SwdStatistics
from pgan_toolkit.metrics.threads import parallel_map

__all__ = ["keeping_sorted", "known_sorted"]

_FLOAT_BYTES = 4


def known_sorted(
    stream: ImageStream, layout: RowLayout, *, cache: StatisticsCache
) -> SortedSide | None:
    """Return what was sorted before of the very pictures of a real set; None if nothing was.

    Raises
    ------
    DataError
        A picture cannot be read.
    """
    if not cache.knows(stream.probe()):
        return None
    key = _key(stream, layout)
    found = cache.load(key, lambda entry: _restored(entry, layout, cache=cache, key=key))
    if found is not None:
        stream.recall_sizes({stream.size: len(stream)})
    return found


@contextmanager
def keeping_sorted(
    stream: ImageStream, statistics: SwdStatistics, layout: RowLayout, *, cache: StatisticsCache
) -> Iterator[KeepRow | None]:
    """Give what takes the rows of a real set that was read just now, for `known_sorted`.

    None where the cache has no room for them. What cannot be written is told, and not kept.
    """
    # The key of what was read just now: a picture may have changed since it was looked up.
    key, offsets, sums = _key(stream, layout), np.zeros(layout.rows), _no_sums(layout)
    places = layout.places()
    with cache.writing_numbers(key, size_bytes=_FLOAT_BYTES * layout.numbers) as numbers:
        if numbers is None:
            yield None
            return

        def keep(
            part: int, level: int, direction: int, row: NDArray[np.float32], offset: float
        ) -> None:
            first_row, first, count = places[part][level]
            offsets[first_row + direction] = offset
            sums[first_row + direction] = _sum(row)
            numbers.write(row, at=_FLOAT_BYTES * (first + direction * count))

        yield keep
    if numbers.complete:
        flat = np.array(flat_levels(statistics))
        arrays: dict[str, NDArray[Any]] = {"offsets": offsets, "sums": sums, "flat": flat}
        size_bytes = sum(array.nbytes for array in arrays.values())
        cache.store(key, arrays.items(), {}, size_bytes=size_bytes)


def _key(stream: ImageStream, layout: RowLayout) -> str:
    parts = {
        "statistics": "swd sorted by pixel",
        "settings": asdict(layout.settings),
        "groups": layout.groups,
        # Matrix products of other processors are rounded in another way.
        "processor": [os.uname().machine, torch.backends.cpu.get_cpu_capability()],
        "pictures": stream.digests(),
    }
    return cache_key(parts, probe=stream.probe())


def _restored(entry: Entry, layout: RowLayout, *, cache: StatisticsCache, key: str) -> SortedSide:
    numbers = np.memmap(cache.numbers(key), np.float32, mode="r", shape=(layout.numbers,))
    sums = _no_sums(layout)

    def add_up(block: tuple[int, int, int, int]) -> None:
        row, start, count, rows = block
        for number in range(rows):
            first = start + number * count
            sums[row + number] = _sum(numbers[first : first + count])

    blocks = [
        (*place, rows)
        for levels, (rows, _) in zip(layout.places(), layout.parts, strict=True)
        for place in levels
    ]
    parallel_map(add_up, blocks)
    if not np.array_equal(sums, entry.arrays["sums"]):
        raise ValueError(f"{cache.numbers(key)}: numbers have changed")
    offsets, flat = entry.arrays["offsets"], tuple(entry.arrays["flat"].tolist())
    return SortedSide(layout, numbers, offsets, flat=flat)


def _no_sums(layout: RowLayout) -> NDArray[np.uint32]:
    return np.zeros(layout.rows, np.uint32)


def _sum(row: NDArray[np.float32]) -> np.uint32:
    """Of the numbers' bits, modulo 2^32."""
    return np.uint32(row.view(np.uint32).sum(dtype=np.uint32))
