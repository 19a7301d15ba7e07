"""Complete states of a run: saved, found, loaded, and the old ones removed.

A checkpoint holds both networks, the average of G, both optimisers, where the run is, its settings
and what its reals are. It holds no state of a random number generator, because there is none to
keep: latents, noise, order and mirroring of reals are all derived from (seed, purpose, number of
the step or of the picture).
"""

import contextlib
import math
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from pgan_toolkit.errors import DataError
from pgan_toolkit.runs import (
    CheckpointKind,
    load_checkpoint,
    read_part,
    read_state,
    save_checkpoint,
)
from reference_trainer.configuration import RunSettings
from reference_trainer.runs.directory import RunFolder
from reference_trainer.runs.record import DataFacts
from reference_trainer.runs.state import (
    GeneratorState,
    Saved,
    TrainingState,
    forbidden_changes,
    saved_of,
)

__all__ = ["Checkpoints", "load_generator", "newest_checkpoint", "read_saved"]

_KIND = CheckpointKind("pgan-toolkit training checkpoint", version=1)
_NAME = re.compile(r"kimg-([0-9]{6,})\.([0-9]{3})\.safetensors")
_BEST_BY = "swd"

Parts = Mapping[str, nn.Module | torch.optim.Optimizer]


class Checkpoints:
    """The checkpoints of a run. One process alone may save.

    Parameters
    ----------
    folder : RunFolder
        The run's.
    settings : RunSettings
        That the run goes on with. `output.keep_checkpoints` says how many stay.
    data : DataFacts
        What its reals are.
    """

    def __init__(self, folder: RunFolder, *, settings: RunSettings, data: DataFacts) -> None:
        self.folder = folder
        self._settings, self._data = settings, data

    def latest(self) -> Path | None:
        """Return the newest checkpoint, whole or not; None where there is none."""
        return newest_checkpoint(self.folder)

    def save(self, parts: Parts, state: TrainingState) -> Path:
        """Write a checkpoint, and remove those that need not stay.

        Those later than it come from before the run was resumed from an older one: they are moved
        to `RunFolder.left_behind`. Needs room for one checkpoint more than stay: where fewer are to
        stay than before, the others make room first.

        Parameters
        ----------
        parts : mapping of str to Module or Optimizer
            What is trained; the average of G as "generator_ema".
        state : TrainingState
            Where the run is.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        SetupError
            The disk is full, or the folder cannot be written to. All older ones are untouched.
        """
        path = self.folder.checkpoint(state.kimg)
        saved = Saved(state=state, settings=self._settings, data=self._data)
        self._remove_partial()
        self._remove_old(path)
        save_checkpoint(path, parts, kind=_KIND, state=saved.as_json())
        self._leave_behind(path)
        self._remove_old(path)
        return path

    def load(self, path: Path, parts: Parts) -> Saved:
        """Put a checkpoint into the parts, if it is one of this run.

        `output` may have changed, and so may `total_kimg`, `minibatch_sizes`, `microbatch_size` and
        `precision`; other settings and the pictures may not. `describe_changes` tells what has.

        Returns
        -------
        Saved
            What the checkpoint says.

        Raises
        ------
        DataError
            The file is damaged (the message names the one before it), of other settings (the
            message lists them), or of other pictures.
        """
        try:
            saved = read_saved(path)
            self._require_same_run(path, saved)
            load_checkpoint(path, parts, kind=_KIND)
        except _OtherRunError:
            raise
        except DataError as error:
            raise DataError(f"{error}; {self._instead_of(path)}") from error
        return saved

    def _require_same_run(self, path: Path, saved: Saved) -> None:
        changed = forbidden_changes(saved.settings, self._settings)
        if changed:
            listed = "; ".join(
                f"{name}: {old!r}, now {new!r}" for name, (old, new) in changed.items()
            )
            raise _OtherRunError(
                f"{path}: is of a run with other settings ({listed}); go on with those, or begin a "
                "new run"
            )
        then, now = saved.data, self._data
        if (then.digest, then.label_count) != (now.digest, now.label_count):
            raise _OtherRunError(
                f"{path}: the run was shown {then.pictures:,} pictures ({then.path}, "
                f"{then.label_count} labels), which {now.path} ({now.pictures:,} pictures, "
                f"{now.label_count} labels) are not; name the same ones (--data)"
            )

    def _instead_of(self, path: Path) -> str:
        others = [other for other in _found(self.folder) if other.resolve() != path.resolve()]
        older = [other for other in others if _images(other) < _images(path)] or others
        if not older:
            return "the run has no other: begin it anew"
        return f"the one before it is {older[-1].name}: go on there with --checkpoint {older[-1]}"

    def _remove_partial(self) -> None:
        """Make room: a process that was killed while it saved has left what it had written."""
        for entry in self.folder.checkpoints_folder.glob(".kimg-*.safetensors.*.partial"):
            entry.unlink(missing_ok=True)

    def _leave_behind(self, saved: Path) -> None:
        later = [path for path in _found(self.folder) if _images(path) > _images(saved)]
        if later:
            self.folder.left_behind.mkdir(exist_ok=True)
        for path in later:
            path.replace(self.folder.left_behind / path.name)

    def _remove_old(self, newest: Path) -> None:
        found = [path for path in _found(self.folder) if _images(path) <= _images(newest)]
        kept = {*found[-self._settings.output.keep_checkpoints :], _best(found)}
        for path in found:
            if path not in kept:
                path.unlink(missing_ok=True)


class _OtherRunError(DataError):
    """A checkpoint is whole, and of another run."""


def newest_checkpoint(folder: RunFolder) -> Path | None:
    """Return the checkpoint of the most kimg, whole or not; None where there is none."""
    found = _found(folder)
    return found[-1] if found else None


def read_saved(path: Path) -> Saved:
    """Return all that a checkpoint says, without reading a tensor.

    Raises
    ------
    DataError
        The file is missing, damaged, or no checkpoint of this trainer.
    """
    return saved_of(read_state(path, kind=_KIND), where=path)


def load_generator(path: Path) -> GeneratorState:
    """Read what pictures are drawn from, and nothing else, from a checkpoint.

    Parameters
    ----------
    path : Path
        The checkpoint's file.

    Raises
    ------
    DataError
        The file is missing, damaged, or no checkpoint of this trainer.
    """
    saved = read_saved(path)
    weights = read_part(path, "generator_ema", kind=_KIND)
    if not weights:
        raise DataError(f"{path}: holds no average generator; take another checkpoint")
    return GeneratorState(saved=saved, weights=weights)


def _found(folder: RunFolder) -> list[Path]:
    """All checkpoints, oldest first."""
    place = folder.checkpoints_folder
    entries = place.iterdir() if place.is_dir() else ()
    return sorted((path for path in entries if _NAME.fullmatch(path.name)), key=_images)


def _images(path: Path) -> int:
    """Reals shown, from a checkpoint's name; -1 of another file."""
    match = _NAME.fullmatch(path.name)
    return int(match[1] + match[2]) if match else -1


def _best(paths: list[Path]) -> Path | None:
    """The one of the lowest SWD; of equal ones the last; None where none was measured."""
    scores: list[tuple[float, int, Path]] = []
    for path in paths:
        # One that is damaged has no score, and is told of when somebody wants it.
        with contextlib.suppress(DataError):
            score = read_saved(path).state.scores.get(_BEST_BY, math.nan)
            if math.isfinite(score):
                scores.append((score, -_images(path), path))
    return min(scores)[2] if scores else None
