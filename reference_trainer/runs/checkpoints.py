"""Complete states of a run: saved, found, loaded, and the old ones removed.

A checkpoint holds both networks, the average of G, both optimisers, where the run is, its settings
and what its reals are. It holds no state of a random number generator, because there is none to
keep: latents, noise, order and mirroring of reals are all derived from (seed, purpose, number of
the step or of the picture).
"""

import contextlib
import math
import shutil
from collections.abc import Iterator, Mapping
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
from reference_trainer.runs.numbered import found_checkpoints, images_of, leave_behind
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
        aside, as `go_on_from` does. Needs room for one checkpoint more than stay: where fewer are
        to stay than before, the others make room first.

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
        self._remove_old(self.folder.checkpoint(state.kimg))
        path = self.save_beside(parts, state)
        leave_behind(self.folder, shown=state.images_shown)
        self._remove_old(path)
        return path

    def save_beside(self, parts: Parts, state: TrainingState) -> Path:
        """Write a checkpoint and remove none: of a run that has failed.

        Parameters, what is returned and what is raised are those of `save`.
        """
        path = self.folder.checkpoint(state.kimg)
        saved = Saved(state=state, settings=self._settings, data=self._data)
        self._remove_partial()
        save_checkpoint(path, parts, kind=_KIND, state=saved.as_json())
        return path

    def go_on_from(self, path: Path, state: TrainingState) -> None:
        """Make a checkpoint the newest of the run, before the run goes on from it.

        Later checkpoints and grids of fakes are moved aside (`RunFolder.left_behind`), so that a
        kill before the next save does not lead back to them. A checkpoint that lies elsewhere is
        copied to its place among the run's.

        Parameters
        ----------
        path : Path
            The checkpoint.
        state : TrainingState
            What it says.

        Raises
        ------
        OSError
            The disk is full, or the folder cannot be written to.
        """
        own = self.folder.checkpoint(state.kimg)
        if path.resolve() == own.resolve():
            leave_behind(self.folder, shown=state.images_shown)
            return
        own.parent.mkdir(exist_ok=True)
        partial = own.with_name(f".{own.name}.copied.partial")
        shutil.copyfile(path, partial)
        leave_behind(self.folder, shown=state.images_shown - 1)
        partial.replace(own)

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
        saved = self.check(path)
        with self._other_named(path):
            load_checkpoint(path, parts, kind=_KIND)
        return saved

    def check(self, path: Path) -> Saved:
        """See that a checkpoint is of this run, by what it says: without reading a tensor.

        What is returned and what is raised are those of `load`.
        """
        with self._other_named(path):
            saved = read_saved(path)
        self._require_same_run(path, saved)
        return saved

    @contextlib.contextmanager
    def _other_named(self, path: Path) -> Iterator[None]:
        try:
            yield
        except DataError as error:
            raise DataError(f"{error}; {self._instead_of(path)}") from error

    def _require_same_run(self, path: Path, saved: Saved) -> None:
        changed = forbidden_changes(saved.settings, self._settings)
        if changed:
            listed = "; ".join(
                f"{name}: {old!r}, now {new!r}" for name, (old, new) in changed.items()
            )
            raise DataError(
                f"{path}: is of a run with other settings ({listed}); go on with those, or begin a "
                "new run"
            )
        then, now = saved.data, self._data
        if (then.digest, then.label_count) != (now.digest, now.label_count):
            raise DataError(
                f"{path}: the run was shown {then.pictures:,} pictures ({then.path}, "
                f"{then.label_count} labels), which {now.path} ({now.pictures:,} pictures, "
                f"{now.label_count} labels) are not; name the same ones (--data)"
            )
        if then.label_counts != now.label_counts:
            raise DataError(
                f"{path}: the labels of {now.path} are not those that the run learnt from, or the "
                "run was begun before fakes had labels as often as reals; restore the labels, or "
                "begin a new run"
            )

    def _instead_of(self, path: Path) -> str:
        found = found_checkpoints(self.folder)
        others = [other for other in found if other.resolve() != path.resolve()]
        older = [other for other in others if images_of(other) < images_of(path)] or others
        if not older:
            return "the run has no other: begin it anew"
        return f"the one before it is {older[-1].name}: go on there with --checkpoint {older[-1]}"

    def _remove_partial(self) -> None:
        """Make room: a process that was killed while it saved has left what it had written."""
        for entry in self.folder.checkpoints_folder.glob(".kimg-*.safetensors.*.partial"):
            entry.unlink(missing_ok=True)

    def _remove_old(self, newest: Path) -> None:
        found = [
            path for path in found_checkpoints(self.folder) if images_of(path) <= images_of(newest)
        ]
        kept = {*found[-self._settings.output.keep_checkpoints :], _best(found)}
        for path in found:
            if path not in kept:
                path.unlink(missing_ok=True)


def newest_checkpoint(folder: RunFolder) -> Path | None:
    """Return the checkpoint of the most kimg, whole or not; None where there is none."""
    found = found_checkpoints(folder)
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


def _best(paths: list[Path]) -> Path | None:
    """The one of the lowest SWD, of those measured as the newest was; of equal ones the last.

    None where none was measured.
    """
    alike: list[tuple[float, int, Path]] = []
    protocol: str | None = None
    for path in reversed(paths):
        # One that is damaged has no score, and is told of when somebody wants it.
        with contextlib.suppress(DataError):
            state = read_saved(path).state
            score, its = state.scores.get(_BEST_BY, math.nan), state.protocols.get(_BEST_BY, "")
            if math.isfinite(score) and protocol in (None, its):
                protocol = its
                alike.append((score, -images_of(path), path))
    return min(alike)[2] if alike else None
