"""Whole runs of a second: their pictures, settings, and what they leave."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np

from pgan_toolkit.storage import Record, open_sink
from reference_trainer.configuration import RunSettings, load_preset
from reference_trainer.runs import RunFolder, newest_checkpoint
from reference_trainer.training import RunOptions, begin_training
from reference_trainer.training.step import TrainingStep

QUIET = RunOptions(device="cpu", workers=1, cache=False, mode="quiet")

CHANGES = (
    "total_kimg=0.16", "stable_kimg=0.032", "fade_kimg=0.032", "minibatch_size=8",
    "tick_kimg=0.024", "checkpoint_kimg=0.04", "picture_kimg=0.08", "metrics_kimg=0",
    "grid=2x1", "g_map_most=8", "d_map_most=8", "epsilon=1e-4",
)  # fmt: skip
"""20 steps: 4x4 for 4, fading for 4, 8x8 for 4, fading for 4, and 16x16 for 4. Checkpoints after 5,
10, 13 (where pictures grow), 15 and 20 steps."""


def tiny_settings(*changes: str, preset: str = "smoke") -> RunSettings:
    return load_preset(preset, changes=[*CHANGES, *changes])


def write_reals(path: Path, count: int = 20, *, side: int = 16, labelled: bool = False) -> Path:
    """Write random mosaics."""
    numbers = np.random.default_rng(count + side)
    with open_sink(path) as sink:
        for index in range(count):
            coarse = numbers.integers(0, 256, (side // 4, side // 4, 3), np.uint8)
            image = np.ascontiguousarray(coarse.repeat(4, axis=0).repeat(4, axis=1))
            sink.write(Record(f"{index:04d}", image, index % 3 if labelled else None))
    return path


def trained(settings: RunSettings, data: Path, out: Path) -> RunFolder:
    return begin_training(settings, data=data, out=out, options=QUIET)


def newest_bytes(folder: RunFolder) -> bytes:
    path = newest_checkpoint(folder)
    assert path is not None
    return path.read_bytes()


def rows(path: Path) -> list[dict[str, float]]:
    """A log's rows, but for what time and memory they took."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    for row in found:
        row.pop("sec_per_kimg", None)
        row.pop("peak_memory_gib", None)
    return found


def require_same_end(found: RunFolder, expected: RunFolder) -> None:
    """See that a run ended as another did: all of its state, its log and its pictures."""
    assert newest_bytes(found) == newest_bytes(expected)
    assert rows(found.log) == rows(expected.log)
    assert found.metrics.read_bytes() == expected.metrics.read_bytes()
    pictures = [folder.fakes_folder for folder in (found, expected)]
    names = [sorted(path.name for path in folder.glob("*.png")) for folder in pictures]
    assert names[0] == names[1]
    for name in names[0]:
        assert (pictures[0] / name).read_bytes() == (pictures[1] / name).read_bytes()


class Crash(BaseException):
    """What no code expects, as a kill."""


@contextmanager
def at_step(number: int, action: object) -> Iterator[None]:
    """Call `action()` before a step, or raise it where it is an error."""
    run = TrainingStep.run

    def watched(self, phase, *, step, reals):
        if step == number:
            if isinstance(action, BaseException):
                raise action
            action()
        return run(self, phase, step=step, reals=reals)

    with mock.patch.object(TrainingStep, "run", watched):
        yield


def words(settings: Sequence[str]) -> list[str]:
    """Changes as options of the command."""
    return [word for change in settings for word in ("--set", change)]
