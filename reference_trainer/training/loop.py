"""The loop of a run: steps, and all that is due between them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor

from pgan_toolkit.devices import whole_float32
from pgan_toolkit.errors import DataError, Interrupted
from pgan_toolkit.metrics import Result
from pgan_toolkit.runs import StopRequests
from reference_trainer.configuration import RunSettings
from reference_trainer.reals import RealBatch, RealImages, RealLoader
from reference_trainer.runs import Checkpoints, TrainingState
from reference_trainer.sampling import Sampler, SamplerInfo
from reference_trainer.sampling.grids import present_classes
from reference_trainer.schedule import Phase, phase_at
from reference_trainer.training.distributed import World
from reference_trainer.training.feed import Feed
from reference_trainer.training.measurements import Measurements
from reference_trainer.training.memory import enough_memory
from reference_trainer.training.position import Position, is_due, plans
from reference_trainer.training.reporting import Reporter
from reference_trainer.training.step import TrainingStep

__all__ = ["Session", "begin", "train_to_end"]


_STEPS_UNHEARD = 10
"""Steps between two questions to all processes, for each of which a GPU's queue runs empty."""

_NOTHING, _TO_STOP, _FAILED = range(3)
"""What a process answers. One that has failed is heard before one that is to stop."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """All that works together while a run goes.

    Attributes
    ----------
    settings : RunSettings
        Of the run.
    world : World
        This process.
    step : TrainingStep
        The networks and how they learn.
    reals : RealImages
        What D is shown.
    checkpoints : Checkpoints
        Where the state is kept.
    measurements : Measurements | None
        None in all processes but the first.
    reporter : Reporter | None
        None in all processes but the first.
    """

    settings: RunSettings
    world: World
    step: TrainingStep
    reals: RealImages
    checkpoints: Checkpoints
    measurements: Measurements | None
    reporter: Reporter | None

    def sampler(self, phase: Phase) -> Sampler:
        """Return what draws pictures from the average of G."""
        generator = self.step.generator_ema
        generator.eval()
        info = SamplerInfo(
            name="the run",
            resolution=self.settings.data.resolution,
            stage_resolution=phase.resolution,
            alpha=phase.alpha,
            latent_size=self.settings.generator.latent_size,
            label_count=self.reals.label_count,
            classes=present_classes(self.reals.label_counts),
        )
        return Sampler(generator, info, device=self.world.device)

    def pictures(self, phase: Phase, seeds: Sequence[int]) -> Tensor:
        """Return the pictures of these seeds, uint8 (N, 3, R, R), on the CPU."""
        with whole_float32():  # as `open_sampler` draws them
            return self.sampler(phase).of_seeds(seeds)

    def saved_at(self, position: Position) -> Path:
        """Return where the state at a position is, or would be."""
        return self.checkpoints.folder.checkpoint(position.shown / 1000)

    def go_on(self, change: str = "") -> str:
        """Say how to go on with the run, and " --set NAME=VALUE"."""
        return f"go on with `pgan-toolkit train --resume {self.checkpoints.folder.path}{change}`"

    def remedy(self, change: str) -> str:
        """Say where the run is saved, and how to go on with a change."""
        latest = self.checkpoints.latest()
        if latest is None:
            return f"nothing is saved yet: begin anew{change and ' with'}{change}"
        return f"the run is saved in {latest}: {self.go_on(change)}"


def begin(session: Session) -> None:
    """Show what a run begins with: some reals, and what its first weights make."""
    if session.reporter is None:
        return
    columns, rows = session.reporter.grid
    some = range(min(columns * rows, len(session.reals)))
    with session.reporter.paused():
        images = session.reals.pictures(some, session.settings.data.resolution)
        blank = images.new_zeros((columns * rows - len(some), *images.shape[1:]))
        session.reporter.reals(torch.cat([images, blank]))
        _draw(session, phase_at(0, session.settings), Position())


@dataclass(frozen=True)
class _Course:
    """A session while it trains: where it began, what feeds it, and what is to stop it."""

    session: Session
    begun: Position
    feed: Feed
    stops: StopRequests

    def take(self, phase: Phase) -> Callable[[], RealBatch]:
        """Return what gives a step its reals; a step that lacks them is spoilt."""
        reals = self.feed.take(phase)
        if self.feed.failure is not None:
            self.session.step.spoil()
        return reals

    def heard(self, position: Position) -> int:
        """Return what the processes want; most steps do not ask."""
        world = self.session.world
        if world.size > 1 and position.steps % _STEPS_UNHEARD:
            return _NOTHING
        wish = _TO_STOP if self.stops.received else _NOTHING
        return world.most(_FAILED if self.feed.failure else wish)

    def sound(self) -> Position:
        """Return where the state is, of which a failed step has changed nothing."""
        position, settings = self.begun, self.session.settings
        for _ in range(self.session.step.whole_steps()):
            position = position.after_step(phase_at(position.shown, settings), settings)
        return position


def train_to_end(
    session: Session, position: Position, *, measurement_due: bool = False
) -> Position:
    """Train from a position to `total_kimg`.

    Parameters
    ----------
    session : Session
        All that works together.
    position : Position
        Where the run is.
    measurement_due : bool
        Measure the state of this position first, if anything is measured.

    Returns
    -------
    Position
        Where the run ended.

    Raises
    ------
    Interrupted
        By the user; the state has been saved.
    DataError
        A picture is damaged, or a loss is no number any more; the state before it is saved.
    SetupError
        The device's memory or the disk is full, or another process has ended.
    """
    settings, world = session.settings, session.world
    total, begun = settings.schedule.total_kimg * 1000, position
    with (
        StopRequests() as stops,
        RealLoader(
            session.reals, plans(settings, position, world=world), device=world.device
        ) as loader,
    ):
        course = _Course(session, begun, Feed(loader, settings, world=world), stops)
        if measurement_due and settings.output.metrics_kimg > 0:
            _keep(course, position, stopped=False, measuring=True)
        while position.shown < total:
            phase = phase_at(position.shown, settings)
            with _enough_memory(session, phase):
                reals = course.take(phase)
                values = session.step.run(phase, step=position.steps, reals=reals)
            before, position = position, position.after_step(phase, settings)
            if session.reporter is not None:
                session.reporter.step(values, reals=position.shown - before.shown)
            heard = course.heard(position)
            if heard == _FAILED:
                _fail(course)
            _after_step(course, phase, before, position, stopped=heard == _TO_STOP)
            if heard == _TO_STOP and position.shown < total:
                raise _interrupted(session, position)
    _tell_end(session, begun, position)
    return position


def _tell_end(session: Session, begun: Position, ended: Position) -> None:
    if session.reporter is None:
        return
    kimg = session.reporter.kimg(ended.shown)
    told = f"trained for {kimg} kimg"
    if begun == ended:
        longer = session.go_on(" --set total_kimg=...")
        told = f"is at {kimg} kimg already; to train longer, {longer}"
    session.reporter.note(f"{session.checkpoints.folder.path}: {told}")


def _interrupted(session: Session, position: Position, besides: str = "") -> Interrupted:
    kimg = f"{position.shown / 1000:,.3f}"
    return Interrupted(f"stopped at kimg {kimg} and saved{besides}; {session.go_on()}")


def _after_step(
    course: _Course, phase: Phase, before: Position, position: Position, *, stopped: bool
) -> None:
    """Do all that is due after a step."""
    session = course.session
    schedule, output = session.settings.schedule, session.settings.output
    following = phase_at(position.shown, session.settings)
    # After a step that failed, the moments of the one before are still wanted.
    if following.index != phase.index and schedule.reset_adam and session.step.finite():
        session.step.reset_optimizers()
    ended = position.shown >= schedule.total_kimg * 1000

    def due(kimg: float) -> bool:
        return ended or is_due(kimg, before.shown, position.shown)

    # Where a new resolution does not fit into memory, the run is to go on from here.
    growing = following.resolution != phase.resolution
    measuring = output.metrics_kimg > 0 and due(output.metrics_kimg)
    drawing = due(output.picture_kimg) or growing
    saving = due(output.checkpoint_kimg) or measuring or growing or stopped
    if not (saving or drawing or due(output.tick_kimg)):
        return
    row = {} if session.reporter is None else session.reporter.tick(phase, shown=position.shown)
    if not session.step.finite():
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in row.items() if "loss" in name)
        _fail(course, f" ({numbers})" if numbers else "")
    if drawing and session.reporter is not None:
        with session.reporter.paused(), _enough_memory(session, following):
            _draw(session, following, position)
    if saving:
        _keep(course, position, stopped=stopped, measuring=measuring)


def _keep(course: _Course, position: Position, *, stopped: bool, measuring: bool) -> None:
    """Save the state, and its measurement, if one is due.

    Raises
    ------
    Interrupted
        The measurement was given up; the state says that it is still to be made.
    """
    session, given_up = course.session, False
    phase = phase_at(position.shown, session.settings)
    if session.reporter is not None:
        with session.reporter.paused(), _enough_memory(session, phase):
            results: Mapping[str, Result] | None = {}
            if measuring:
                stops = course.stops
                results = _measure(session, phase, position, lambda: stopped or stops.received)
            given_up = results is None
            state = _state(session, position, results or {}, measurement_due=given_up)
            session.checkpoints.save(session.step.parts(), state)
    if session.world.any(given_up):  # until the first process has saved
        raise _interrupted(session, position, ", with its measurement still to be made")


def _fail(course: _Course, numbers: str = "") -> NoReturn:
    """Save what was whole before a failed step, and tell; all processes come here together."""
    session, failure = course.session, course.feed.failure
    damaged = session.world.any(failure is not None)
    sound = course.sound()
    saved = session.saved_at(sound)
    if session.reporter is not None and not saved.exists():
        session.checkpoints.save_beside(session.step.parts(), _state(session, sound, {}))
    session.world.wait()  # torchrun ends all others as soon as one has failed
    if failure is not None:
        raise DataError(
            f"{failure}. The run is saved up to there: restore that picture as it was when the run "
            f"began, then {session.go_on()}"
        ) from failure
    if damaged:
        raise DataError(
            f"another process could not read a picture, which is in that one's output. The run is "
            f"saved up to there: restore that picture, then {session.go_on()}"
        )
    phase = phase_at(sound.shown, session.settings)
    raise DataError(
        f"kimg {sound.shown / 1000:,.3f} ({phase.resolution}x{phase.resolution}): in the step from "
        f"there on a loss or a gradient was not finite{numbers}; weights as they were before that "
        f"update are in {saved}. Resume with --set precision=float32 or from an earlier checkpoint "
        "(--checkpoint), or begin a run of a lower learning_rate"
    )


def _draw(session: Session, phase: Phase, position: Position) -> None:
    if session.reporter is not None:
        columns, rows = session.reporter.grid
        images = session.pictures(phase, range(columns * rows))
        session.reporter.pictures(images, shown=position.shown)


def _measure(
    session: Session, phase: Phase, position: Position, given_up: Callable[[], bool]
) -> Mapping[str, Result] | None:
    """Measure, in the process that writes; None where it was given up."""
    if session.measurements is None or session.reporter is None:
        return {}
    results = session.measurements.measure(
        lambda seeds: session.pictures(phase, seeds), given_up=given_up
    )
    if results:
        session.reporter.measured(results, shown=position.shown, resolution=phase.resolution)
    return results


def _state(
    session: Session,
    position: Position,
    results: Mapping[str, Result],
    *,
    measurement_due: bool = False,
) -> TrainingState:
    return TrainingState(
        images_shown=position.shown,
        steps=position.steps,
        step_state=session.step.state(),
        scores={name: result.value for name, result in results.items()},
        protocols={name: _protocol(result) for name, result in results.items()},
        measurement_due=measurement_due,
        world_size=session.world.size,
        device=session.world.device.type,
    )


def _protocol(result: Result) -> str:
    """What scores must have in common to be compared."""
    images = ", ".join(f"{count} {side}" for side, count in sorted(result.images.items()))
    return f"{images}; {result.convention}"


def _enough_memory(session: Session, phase: Phase) -> AbstractContextManager[None]:
    return enough_memory(phase, session.settings, world=session.world, remedy=session.remedy)
