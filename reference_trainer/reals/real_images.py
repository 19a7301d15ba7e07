"""The real pictures of a run: checked, and at any position and resolution."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.engines import available_cores, threaded_map
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.progress import Progress, ProgressMode
from pgan_toolkit.storage import StoredSource
from reference_trainer.configuration.settings import DataSettings
from reference_trainer.reals.cache import (
    Levels,
    cacheable_resolutions,
    levels_bytes,
    levels_in_memory,
    levels_on_disk,
)
from reference_trainer.reals.order import ShowingOrder
from reference_trainer.reals.squares import SquareReader

__all__ = ["RealBatch", "RealImages"]

_MOST_IN_MEMORY_BYTES = 1 << 30


class RealBatch(NamedTuple):
    """A minibatch of reals, or a process's share of one.

    Attributes
    ----------
    images : uint8 tensor (n, 3, r, r)
        RGB, mirrored where they are to be.
    labels : int64 tensor (n,) or None
        Class indices, where the run is conditional.
    """

    images: Tensor
    labels: Tensor | None


class RealImages:
    """What the discriminator is shown: a pure function of the seed and the position.

    Parameters
    ----------
    source : StoredSource
        The pictures: squares of one size, `settings.resolution` times a power of two.
    settings : DataSettings
        Of the run.
    seed : int
        Of the run.
    cache : Path | None
        The folder where pictures of at most 128 pixels a side are kept, reduced (see
        `reference_trainer.reals.cache`). None: in memory where that takes 1 GiB or less, otherwise
        every picture is decoded whenever it is shown.
    workers : int | None
        Threads that decode; None: one a core.
    progress : {"auto", "quiet"}
        Of the pass over all pictures that fills the cache.
    headers_only : bool
        Look at the header of every picture and decode none, for a plan of a run.

    Attributes
    ----------
    label_counts : tuple of int
        Pictures of each class, from 0 to the highest; empty where the run is not conditional.

    Raises
    ------
    DataError
        Pictures are not square, too small, of another size than the first or damaged, or labels
        are missing. The message names the file. Every picture is looked at, unless the cache has
        them all.
    SetupError
        The cache cannot be written to, or has no room.
    """

    def __init__(
        self,
        source: StoredSource,
        *,
        settings: DataSettings,
        seed: int,
        cache: Path | None,
        workers: int | None = None,
        progress: ProgressMode = "auto",
        headers_only: bool = False,
    ) -> None:
        self.source = source
        self.workers = available_cores() if workers is None else workers
        self._resolution = settings.resolution
        self._labels = _read_labels(source) if settings.conditional else None
        self.label_counts = _counts(self._labels)
        self._reader = SquareReader(source, resolution=settings.resolution)
        self._order = ShowingOrder(len(source), seed=seed, mirror=settings.mirror)
        self._levels: Levels = {}
        if headers_only:
            self._check_all_headers(progress)
        else:
            self._levels = self._prepare_levels(cache, progress)

    def __len__(self) -> int:
        return len(self.source)

    @property
    def label_count(self) -> int:
        """Classes, 0 where the run is not conditional."""
        return len(self.label_counts)

    def check_minibatch(self, minibatch_size: int) -> None:
        """Refuse a minibatch that would show a picture twice.

        Raises
        ------
        DataError
            There are fewer pictures.
        """
        if len(self) < minibatch_size:
            raise DataError(
                f"{self.source.path}: {len(self)} pictures, fewer than a minibatch of "
                f"{minibatch_size}; give more, or set minibatch_size and minibatch_sizes to "
                f"{len(self)} or less"
            )

    def is_prepared(self, resolution: int) -> bool:
        """Whether pictures of that resolution are at hand, so that none is decoded for it."""
        return resolution in self._levels

    def batch(self, first_position: int, count: int, resolution: int) -> RealBatch:
        """Return what positions first_position to first_position + count - 1 show.

        Parameters
        ----------
        first_position : int
            Reals shown before, over all processes.
        count : int
            Pictures.
        resolution : int
            Pixels a side: that of the run, or a half, a quarter, ... of it.

        Raises
        ------
        DataError
            A picture is damaged. The message names the file.
        UsageError
            There is no such resolution.
        """
        images = np.empty((count, 3, resolution, resolution), np.uint8)
        self.fill(images, first_position=first_position)
        return RealBatch(torch.from_numpy(images), self.labels(first_position, count))

    def fill(self, images: NDArray[np.uint8], *, first_position: int) -> None:
        """Write into an array what the positions from the first on show, as `batch` does.

        Parameters
        ----------
        images : uint8 (n, 3, r, r)
            What is there is overwritten. Several threads may fill an array's parts.
        first_position : int
            What images[0] shows.
        """
        shown = self._order.at(first_position, len(images))
        self._read(images, shown.indices)
        flipped = images[shown.mirrored]
        images[shown.mirrored] = flipped[..., ::-1]

    def labels(self, first_position: int, count: int) -> Tensor | None:
        """Return the classes of those positions, int64 (count,); None if not conditional."""
        if self._labels is None:
            return None
        return torch.from_numpy(self._labels[self._order.at(first_position, count).indices])

    def pictures(self, indices: Sequence[int], resolution: int) -> Tensor:
        """Return pictures by their index in the source, not mirrored: uint8 (n, 3, r, r).

        Raises
        ------
        DataError
            A picture is damaged. The message names the file.
        UsageError
            There is no such resolution.
        """
        images = np.empty((len(indices), 3, resolution, resolution), np.uint8)
        self._read(images, np.asarray(indices, np.int64))
        return torch.from_numpy(images)

    def _read(self, images: NDArray[np.uint8], indices: NDArray[np.int64]) -> None:
        resolution = images.shape[-1]
        if resolution > self._resolution:
            raise UsageError(f"resolution={resolution}: this run ends with {self._resolution}")
        level = self._levels.get(resolution)
        if level is not None:
            images[...] = level[indices]
            return
        for place, index in enumerate(indices):
            (images[place],) = self._reader.read(int(index), resolution)

    def _prepare_levels(self, cache: Path | None, progress: ProgressMode) -> Levels:
        resolutions = cacheable_resolutions(self._resolution)
        if resolutions and cache is not None:
            return levels_on_disk(
                cache, self._reader, resolutions, workers=self.workers, progress=progress
            )
        if resolutions and levels_bytes(len(self), resolutions) <= _MOST_IN_MEMORY_BYTES:
            return levels_in_memory(
                self._reader, resolutions, workers=self.workers, progress=progress
            )
        self._check_all_headers(progress)
        return {}

    def _check_all_headers(self, progress: ProgressMode) -> None:
        indices = range(len(self))
        with (
            Progress(len(self), label="checking sizes", unit="picture", mode=progress) as bar,
            contextlib.closing(
                threaded_map(
                    self._reader.check_header, indices, workers=self.workers, ahead=4 * self.workers
                )
            ) as checked,
        ):
            for _ in checked:
                bar.advance()


def _counts(labels: NDArray[np.int64] | None) -> tuple[int, ...]:
    return () if labels is None else tuple(np.bincount(labels).tolist())


def _read_labels(source: StoredSource) -> NDArray[np.int64]:
    labels = source.labels()
    if None in labels:
        first = source.name(labels.index(None))
        raise DataError(
            f"{first}: has no label, and the preset learns labels (conditional=true); give every "
            "picture a class index from 0: in dataset.json of a folder or zip file, "
            '{"labels": [["00000/img00000000.png", 3], ...]}, in the array `labels` of an HDF5 '
            "file; or set conditional=false"
        )
    return np.array(labels, np.int64)
