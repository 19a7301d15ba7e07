"""Real sides of the SWD that were projected and sorted before, kept in the cache.

The numbers are those that sorting would give again, bit for bit: a file of float32, 279 kB an image
and level by the published protocol, whose rows are read as they are compared. Beside it lie the
sums of the rows, by which damage is seen.
"""

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pgan_toolkit.evaluation.cache import Entry, StatisticsCache, cache_key
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.sorted_side import (
    DamagedRowsError,
    KeepRow,
    RowLayout,
    SortedSide,
)
from pgan_toolkit.metrics.swd_comparison import flat_levels
from pgan_toolkit.metrics.swd_statistics import SwdStatistics

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
    file = cache.numbers(key).open("rb", buffering=0)
    size_bytes = os.fstat(file.fileno()).st_size
    if size_bytes != _FLOAT_BYTES * layout.numbers:
        file.close()
        raise ValueError(f"{cache.numbers(key)}: {size_bytes:,} bytes")
    sums = entry.arrays["sums"]

    def read(row: int, first: int, out: NDArray[np.float32]) -> None:
        # At an explicit offset, so that threads can read side by side.
        count = os.preadv(file.fileno(), [out.data], _FLOAT_BYTES * first)
        if count != out.nbytes or _sum(out) != sums[row]:
            cache.remove_damaged(key)
            raise DamagedRowsError

    flat = tuple(entry.arrays["flat"].tolist())
    side = SortedSide(layout, read, entry.arrays["offsets"], flat=flat)
    weakref.finalize(side, file.close)
    return side


def _no_sums(layout: RowLayout) -> NDArray[np.uint32]:
    return np.zeros(layout.rows, np.uint32)


def _sum(row: NDArray[np.float32]) -> np.uint32:
    """Of the numbers' bits, modulo 2^32."""
    return np.uint32(row.view(np.uint32).sum(dtype=np.uint32))
