"""The loop of a run: steps, and all that is due between them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pgan_toolkit.devices import whole_float32
from pgan_toolkit.errors import DataError, Interrupted
from pgan_toolkit.metrics import Result
from pgan_toolkit.runs import StopRequests
from reference_trainer.configuration import RunSettings
from reference_trainer.division import divide_minibatch
from reference_trainer.reals import BatchPlan, RealBatch, RealImages, RealLoader
from reference_trainer.runs import Checkpoints, TrainingState
from reference_trainer.sampling import Sampler, SamplerInfo
from reference_trainer.schedule import Phase, phase_at
from reference_trainer.training.distributed import World
from reference_trainer.training.measurements import Measurements
from reference_trainer.training.memory import enough_memory
from reference_trainer.training.reporting import Reporter
from reference_trainer.training.step import TrainingStep

__all__ = ["Position", "Session", "begin", "is_due", "plans", "train_to_end"]


_STEPS_UNHEARD = 10
"""Steps between two questions to all processes, for each of which a GPU's queue runs empty."""


@dataclass(frozen=True)
class Position:
    """How far a run is.

    Attributes
    ----------
    shown : int
        Reals shown to D, by all processes.
    steps : int
        Steps of G.
    """

    shown: int = 0
    steps: int = 0

    def after_step(self, phase: Phase, settings: RunSettings) -> "Position":
        """Return where the run is after one more step."""
        reals = phase.minibatch_size * _updates(settings)
        return Position(self.shown + reals, self.steps + 1)


def plans(settings: RunSettings, start: Position, *, world: World) -> Iterator[BatchPlan]:
    """Yield which reals each update of D takes in this process, from a position on, without end."""
    position = start
    while True:
        phase = phase_at(position.shown, settings)
        share = divide_minibatch(phase.minibatch_size, settings, world_size=world.size).share
        for repeat in range(_updates(settings)):
            first = position.shown + repeat * phase.minibatch_size
            yield BatchPlan(first + world.rank * share, share, phase.resolution)
        position = position.after_step(phase, settings)


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


def train_to_end(session: Session, position: Position) -> Position:
    """Train from a position to `total_kimg`.

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
        while position.shown < total:
            phase = phase_at(position.shown, settings)
            with _enough_memory(session, phase):
                reals = _reals(session, loader, position)
                values = session.step.run(phase, step=position.steps, reals=reals.__next__)
            before, position = position, position.after_step(phase, settings)
            if session.reporter is not None:
                session.reporter.step(values, reals=position.shown - before.shown)
            stopped = _hears(world, position) and world.any(stops.received)
            _after_step(session, phase, before, position, stops=stops, stopped=stopped)
            if stopped and position.shown < total:
                raise Interrupted(
                    f"stopped at kimg {position.shown / 1000:,.3f} and saved; {session.go_on()}"
                )
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


def is_due(every_kimg: float, before: int, shown: int) -> bool:
    """Whether a multiple of so many kimg lies behind `before`, and not behind `shown` reals."""
    every = every_kimg * 1000
    return shown // every > before // every


def _reals(session: Session, loader: RealLoader, position: Position) -> Iterator[RealBatch]:
    """Take a step's reals before it begins: a damaged picture leaves a whole state behind."""
    try:
        return iter([next(loader) for _ in range(_updates(session.settings))])
    except DataError as error:
        if not session.saved_at(position).exists():
            _save(session, position, {})
        raise DataError(
            f"{error}. The run is saved up to there: restore that picture as it was when the run "
            f"began, then {session.go_on()}"
        ) from error


def _hears(world: World, position: Position) -> bool:
    """Whether all processes ask one another now if one of them is to stop."""
    return world.size == 1 or position.steps % _STEPS_UNHEARD == 0


def _after_step(
    session: Session,
    phase: Phase,
    before: Position,
    position: Position,
    *,
    stops: StopRequests,
    stopped: bool,
) -> None:
    """Do all that is due after a step."""
    schedule, output = session.settings.schedule, session.settings.output
    following = phase_at(position.shown, session.settings)
    if following.index != phase.index and schedule.reset_adam:
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
    _tick(session, phase, position)
    if session.reporter is not None:
        # Pictures are those that the checkpoint of this position gives.
        with session.reporter.paused(), _enough_memory(session, following):
            if drawing:
                _draw(session, following, position)
            results = _measure(session, following, position, stops) if measuring else {}
            if saving:
                _save(session, position, results)
    if saving:
        session.world.wait()


def _tick(session: Session, phase: Phase, position: Position) -> None:
    row = {} if session.reporter is None else session.reporter.tick(phase, shown=position.shown)
    if session.step.finite():
        return
    _save(session, position, {})
    session.world.wait()  # torchrun ends all others as soon as one has failed
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in row.items() if "loss" in name)
    raise DataError(
        f"kimg {position.shown / 1000:,.3f} ({phase.resolution}x{phase.resolution}): since the "
        f"line of the log before, a loss or a gradient was not finite ({numbers}); weights as they "
        f"were before that step are in {session.saved_at(position)}. Resume with --set "
        "precision=float32 or from an earlier checkpoint (--checkpoint), or begin a run of a lower "
        "learning_rate"
    )


def _draw(session: Session, phase: Phase, position: Position) -> None:
    if session.reporter is not None:
        columns, rows = session.reporter.grid
        images = session.pictures(phase, range(columns * rows))
        session.reporter.pictures(images, shown=position.shown)


def _measure(
    session: Session, phase: Phase, position: Position, stops: StopRequests
) -> Mapping[str, Result]:
    if session.measurements is None or session.reporter is None:
        return {}
    results = session.measurements.measure(
        lambda seeds: session.pictures(phase, seeds), given_up=lambda: stops.received
    )
    if results:
        session.reporter.measured(results, shown=position.shown, resolution=phase.resolution)
    return results


def _save(session: Session, position: Position, results: Mapping[str, Result]) -> None:
    """Keep the state, in the process that writes."""
    if session.reporter is None:
        return
    state = TrainingState(
        images_shown=position.shown,
        steps=position.steps,
        step_state=session.step.state(),
        scores={name: result.value for name, result in results.items()},
        world_size=session.world.size,
        device=session.world.device.type,
    )
    session.checkpoints.save(session.step.parts(), state)


def _enough_memory(session: Session, phase: Phase) -> AbstractContextManager[None]:
    return enough_memory(phase, session.settings, world=session.world, remedy=session.remedy)


def _updates(settings: RunSettings) -> int:
    """Minibatches of reals a step."""
    return settings.optimization.discriminator_steps
