"""The sliced Wasserstein distance between stored sets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pgan_toolkit.evaluation.cache import Entry, StatisticsCache, cache_key
from pgan_toolkit.evaluation.feeding import feed
from pgan_toolkit.evaluation.memory import enough_memory
from pgan_toolkit.evaluation.protocol import (
    about_sets,
    equal_numbers,
    naming,
    pair_warnings,
    require_one_size,
)
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.descriptors import SwdSettings, swd_levels
from pgan_toolkit.metrics.result import Result
from pgan_toolkit.metrics.swd import SlicedWasserstein
from pgan_toolkit.metrics.swd_comparison import swd_floor
from pgan_toolkit.metrics.swd_statistics import SwdStatistics

__all__ = ["SwdMeasurement", "keep_patches", "known_patches", "measure_swd"]

_IMAGES_A_CHUNK = 256


@dataclass(frozen=True)
class SwdMeasurement:
    """What `measure_swd` found.

    Attributes
    ----------
    fakes : tuple of Result
        Of each fake set, in their order.
    floor : Result | None
        Real against real, if asked for.
    streams : tuple of ImageStream
        What was read: the real set, then the fake ones.
    """

    fakes: tuple[Result, ...]
    floor: Result | None
    streams: tuple[ImageStream, ...]


def measure_swd(
    real: ImageStream,
    fakes: Sequence[ImageStream],
    *,
    settings: SwdSettings | None = None,
    bootstrap: int = 0,
    floor: bool = False,
    device: torch.device | str = "cpu",
    cache: StatisticsCache | None = None,
) -> SwdMeasurement:
    """Return the SWD of fake sets against one real set, with the same patches and directions.

    Parameters
    ----------
    real, fakes : ImageStream
        The sets. The same number is taken from each, that of the smallest, with a warning.
    settings : SwdSettings | None
        None: the published protocol.
    bootstrap : int
        As `compare_swd`.
    floor : bool
        Whether to compare the real set with itself too.
    device : torch.device | str
        Where to compute.
    cache : StatisticsCache | None
        Where the real set's patches are looked up and kept.

    Raises
    ------
    DataError
        A picture cannot be read, sizes differ, or do not halve evenly.
    """
    settings = settings or SwdSettings()
    require_one_size([real, *fakes])
    with naming(real, *fakes):
        swd_levels(*real.size, settings=settings)
    streams, unequal = equal_numbers([real, *fakes])
    patches = _real_side(streams[0], settings, device=device, cache=cache)
    results = []
    for number, stream in enumerate(streams[1:], start=1):
        metric = SlicedWasserstein(patches, bootstrap=bootstrap, device=device)
        which = f" {number} of {len(fakes)}" if len(fakes) > 1 else ""
        feed(stream, metric, label=f"fake{which}", device=device)
        with enough_memory(device):
            result = metric.compute().warned(*unequal)
        result = about_sets(result, streams[0], stream)
        results.append(result.warned(*pair_warnings(streams[0], stream)))
    if not floor:
        return SwdMeasurement(tuple(results), None, streams)
    with enough_memory(device), naming(streams[0]):
        lowest = swd_floor(patches, device=device).warned(*unequal)
    return SwdMeasurement(tuple(results), about_sets(lowest, streams[0]), streams)


def _real_side(
    stream: ImageStream,
    settings: SwdSettings,
    *,
    device: torch.device | str,
    cache: StatisticsCache | None,
) -> SwdStatistics:
    if cache is not None:
        found = known_patches(stream, settings, device=device, cache=cache)
        if found is not None:
            return found
    statistics = SwdStatistics(settings, side="real")
    feed(stream, statistics, label="real", device=device)
    if cache is not None:
        keep_patches(stream, statistics, device=device, cache=cache)
    return statistics


def known_patches(
    stream: ImageStream,
    settings: SwdSettings,
    *,
    device: torch.device | str,
    cache: StatisticsCache,
) -> SwdStatistics | None:
    """Return the patches of the very pictures of a real set that were cut before; None if none.

    Those that were cut on a device of another type are not taken.

    Raises
    ------
    DataError
        A picture cannot be read.
    """
    if not cache.knows(stream.probe()):
        return None
    key = _key(stream, settings, device)
    found = cache.load(key, lambda entry: _restored(entry, settings))
    if found is not None:
        stream.recall_sizes({stream.size: len(stream)})
    return found


def keep_patches(
    stream: ImageStream,
    statistics: SwdStatistics,
    *,
    device: torch.device | str,
    cache: StatisticsCache,
) -> None:
    """Keep the patches of a real set that was read just now, for `known_patches`."""
    cache.store(
        # The key of what was read just now: a picture may have changed since it was looked up.
        _key(stream, statistics.settings, device),
        _chunks(statistics),
        {"size": list(stream.size), "images": len(statistics)},
        size_bytes=_size_bytes(statistics),
    )


def _key(stream: ImageStream, settings: SwdSettings, device: torch.device | str) -> str:
    """Name what the patches depend on; the number of directions and repeats is not among it."""
    parts = asdict(settings)
    for name in ("directions", "repeats"):
        del parts[name]
    return cache_key(
        {
            "statistics": "swd patches by pixel",
            "settings": parts,
            "device": torch.device(device).type,  # whose rounding differs
            "pictures": stream.digests(),
        },
        probe=stream.probe(),
    )


def _size_bytes(statistics: SwdStatistics) -> int:
    patch_bytes = np.dtype(np.int16).itemsize * statistics.settings.dimensions
    return len(statistics) * len(statistics.levels) * statistics.settings.patches * patch_bytes


def _chunks(statistics: SwdStatistics) -> Iterator[tuple[str, NDArray[Any]]]:
    """Patches of some images and one level at a time, int16 (images, patches, dimensions)."""
    settings = statistics.settings
    for start in range(0, len(statistics), _IMAGES_A_CHUNK):
        picks = np.arange(start, min(start + _IMAGES_A_CHUNK, len(statistics)))
        for level in range(len(statistics.levels)):
            patches = statistics.store.read(level, picks)
            shape = (len(picks), settings.patches, settings.dimensions)
            yield f"{start}-{level}", patches.reshape(shape)


def _restored(entry: Entry, settings: SwdSettings) -> SwdStatistics:
    about: Mapping[str, Any] = entry.about
    height, width = about["size"]
    statistics = SwdStatistics(settings, side="real")
    count = len(swd_levels(height, width, settings=settings))
    for start in range(0, about["images"], _IMAGES_A_CHUNK):
        levels = [entry.arrays[f"{start}-{level}"] for level in range(count)]
        indices = range(start, start + len(levels[0]))
        statistics.update_from_descriptors(levels, indices=indices, size=(height, width))
    return statistics
