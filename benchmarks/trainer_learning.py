"""What the trainer is shown to learn on a CPU: faces and stacked digits of 32x32 pixels."""

import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from pgan_toolkit.evaluation.digits import load_mnist, stacked_digits
from pgan_toolkit.storage import Record, open_sink, open_source
from reference_trainer.reals import reduce_images

__all__ = ["cropped_faces", "learn_digits", "learn_faces"]

SIZE_PX = 32
ROWS, COLUMNS = slice(28, 92), slice(12, 76)
"""The face of CelebA's aligned pictures, halved to 89x109: 64x64 pixels."""
STACKED = 60_000
OFTEN = ("tick_kimg=20", "checkpoint_kimg=100", "picture_kimg=50", "metrics_kimg=200")


def learn_faces(photos: Path, *, work: Path, kimg: float | None) -> None:
    """Train `faces-32-cpu` on the faces of CelebA's aligned thumbnails.

    Parameters
    ----------
    photos : Path
        The thumbnails, 89x109, in any format.
    work : Path
        Where the faces and the run go.
    kimg : float | None
        How long; None: as the preset has it.
    """
    data = _written(work / "faces.zip", cropped_faces(photos))
    _train("faces-32-cpu", data, work / "run", kimg=kimg)


def learn_digits(mnist: Path, *, work: Path, kimg: float | None) -> None:
    """Train `mnist1k-quarter-ournorm` on 60,000 stacked digits.

    Parameters
    ----------
    mnist : Path
        The folder of MNIST's official files.
    work : Path
        Where the digits and the run go.
    kimg : float | None
        How long; None: as the preset has it.
    """
    digits = load_mnist(mnist, split="train")
    stacked = stacked_digits(digits, images=STACKED, size_px=SIZE_PX)
    data = _written(work / "digits.zip", stacked)
    _train("mnist1k-quarter-ournorm", data, work / "run", kimg=kimg, changes=OFTEN)


def cropped_faces(photos: Path) -> Iterator[Record]:
    """Yield the 64x64 centre of each thumbnail, reduced to 32x32 by means of 2x2 pixels."""
    for record in open_source(photos):
        planes = np.ascontiguousarray(record.image[ROWS, COLUMNS].transpose(2, 0, 1))
        reduced = reduce_images(planes[None], resolution=SIZE_PX)[0]
        yield Record(record.key, np.ascontiguousarray(reduced.transpose(1, 2, 0)), None)


def _written(place: Path, records: Iterable[Record]) -> Path:
    """Write the records, unless they were written before."""
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with open_sink(place) as sink:
            for record in records:
                sink.write(record)
    return place


def _train(
    preset: str, data: Path, run: Path, *, kimg: float | None, changes: Sequence[str] = ()
) -> None:
    """Begin the run, or go on with it, by the command that users have."""
    words = ["--preset", preset, "--data", str(data), "--out", str(run)]
    if run.exists():
        words = ["--resume", str(run)]
    if kimg is not None:
        changes = [*changes, f"total_kimg={kimg:g}"]
    for change in changes:
        words += ["--set", change]
    command = [sys.executable, "-m", "pgan_cli", "train", *words]
    print(*command, flush=True)
    subprocess.run(command, check=True)
