"""A run as a data set: wherever a command takes pictures, it takes a run."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from pgan_toolkit.arrays import Image
from pgan_toolkit.storage import PictureInfo, StoredSource
from reference_trainer.runs import is_run, read_saved
from reference_trainer.sampling.generate import seed_key
from reference_trainer.sampling.grids import labels_of_seeds, present_classes
from reference_trainer.sampling.opening import find_checkpoint, open_sampler
from reference_trainer.sampling.sampler import Sampler

__all__ = ["PICTURES_OF_A_RUN", "RunSource", "open_run"]

PICTURES_OF_A_RUN = 50_000
"""Pictures of a run: as many as the metrics of the field take at most."""


class RunSource(StoredSource):
    """The pictures of the seeds 0 to 49,999, made when asked for.

    Picture i is that of seed i, called "seed00000i", to the bit whatever else is asked for and in
    whichever order. Several threads may read; they take turns. It is picklable: a worker loads the
    generator again, from the same checkpoint.

    Parameters
    ----------
    path : Path
        The run's folder, or what else messages are to name.
    open_sampler : callable
        Returns what draws the pictures; called at the first one. Picklable.
    resolution : int
        Side of the pictures, pixels.
    label_count : int
        Classes; 0: none.
    classes : tuple of int
        Those that the pictures have in turn; empty: all.
    """

    def __init__(
        self,
        path: Path,
        *,
        open_sampler: Callable[[], Sampler],
        resolution: int,
        label_count: int = 0,
        classes: tuple[int, ...] = (),
    ) -> None:
        seeds = range(PICTURES_OF_A_RUN)
        labels = labels_of_seeds(seeds, label_count=label_count, classes=classes)
        super().__init__(
            path.absolute(),
            format_name="training run",
            keys=[seed_key(seed) for seed in seeds],
            labels=[None] * len(seeds) if labels is None else labels.tolist(),
        )
        self._open_sampler = open_sampler
        self._resolution = resolution
        self._lock = threading.Lock()
        self._sampler: Sampler | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_lock": None, "_sampler": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def _read(self, index: int) -> Image:
        with self._lock:
            if self._sampler is None:
                self._sampler = self._open_sampler()
            picture = self._sampler.of_seed(index)[0]
        return np.ascontiguousarray(picture.permute(1, 2, 0).numpy())

    def _inspect(self, index: int) -> PictureInfo:
        side = self._resolution
        return PictureInfo(height=side, width=side, stored_bytes=3 * side**2, encoding="pixels")


def open_run(path: Path) -> RunSource | None:
    """Open a run of the reference trainer by its newest checkpoint; None for any other folder.

    The entry point by which `pgan_toolkit.storage.open_source` reads runs.

    Raises
    ------
    DataError
        The run has no checkpoint yet, or its newest one is damaged.
    """
    if not is_run(path):
        return None
    checkpoint = find_checkpoint(path)
    saved = read_saved(checkpoint)
    return RunSource(
        path,
        open_sampler=partial(open_sampler, path, checkpoint=checkpoint),
        resolution=saved.settings.data.resolution,
        label_count=saved.data.label_count,
        classes=present_classes(saved.data.label_counts),
    )
