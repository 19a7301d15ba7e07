"""The loop of a run: steps, and all that is due between them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from pgan_toolkit.errors import DataError, Interrupted, SetupError
from pgan_toolkit.metrics import Result
from pgan_toolkit.runs import StopRequests
from reference_trainer.configuration import RunSettings
from reference_trainer.reals import BatchPlan, RealImages, RealLoader
from reference_trainer.runs import Checkpoints, TrainingState
from reference_trainer.sampling import Sampler, SamplerInfo, labels_of_seeds, latents_of_seeds
from reference_trainer.schedule import Phase, divide_minibatch, phase_at
from reference_trainer.training.distributed import World
from reference_trainer.training.measurements import Measurements
from reference_trainer.training.reporting import Reporter
from reference_trainer.training.step import TrainingStep

__all__ = ["Position", "Session", "begin", "is_due", "plans", "train_to_end"]


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
        reals = phase.minibatch_size * settings.optimization.discriminator_steps
        return Position(self.shown + reals, self.steps + 1)


def plans(settings: RunSettings, start: Position, *, world: World) -> Iterator[BatchPlan]:
    """Yield which reals each update of D takes in this process, from a position on, without end."""
    position = start
    while True:
        phase = phase_at(position.shown, settings)
        share = divide_minibatch(phase.minibatch_size, settings, world_size=world.size).share
        for repeat in range(settings.optimization.discriminator_steps):
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
        """Return the pictures of these seeds, uint8 (N, 3, R, R)."""
        sampler = self.sampler(phase)
        latents = latents_of_seeds(seeds, latent_size=sampler.info.latent_size)
        return sampler.pictures(
            latents, labels_of_seeds(seeds, label_count=sampler.info.label_count)
        )


def begin(session: Session) -> None:
    """Show what a run begins with: some reals, and what its first weights make."""
    if session.reporter is None:
        return
    columns, rows = session.reporter.grid
    some = range(min(columns * rows, len(session.reals)))
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
    total = settings.schedule.total_kimg * 1000
    with (
        StopRequests() as stops,
        RealLoader(
            session.reals, plans(settings, position, world=world), device=world.device
        ) as loader,
    ):
        while position.shown < total:
            phase = phase_at(position.shown, settings)
            with _enough_memory(session, phase):
                values = session.step.run(phase, step=position.steps, reals=loader.__next__)
            before, position = position, position.after_step(phase, settings)
            if session.reporter is not None:
                session.reporter.step(values, reals=position.shown - before.shown)
            stopped = world.any(stops.received)
            _after_step(session, phase, before, position, stopped=stopped)
            if stopped:
                raise Interrupted(
                    f"stopped at kimg {position.shown / 1000:,.1f} and saved; go on with "
                    f"`pgan-toolkit train --resume {session.checkpoints.folder.path}`"
                )
    return position


def _after_step(
    session: Session, phase: Phase, before: Position, position: Position, *, stopped: bool
) -> None:
    """Do all that is due after a step."""
    output = session.settings.output
    following = phase_at(position.shown, session.settings)
    if following.index != phase.index and session.settings.schedule.reset_adam:
        session.step.reset_optimizers()
    ended = position.shown >= session.settings.schedule.total_kimg * 1000

    def due(kimg: float) -> bool:
        return ended or is_due(kimg, before.shown, position.shown)

    measuring = output.metrics_kimg > 0 and due(output.metrics_kimg)
    # Where a new resolution does not fit into memory, the run is to go on from here.
    growing = following.resolution != phase.resolution
    saving = due(output.checkpoint_kimg) or measuring or growing or stopped
    if saving or due(output.tick_kimg):
        _tick(session, phase, position)
    if session.reporter is not None:
        with session.reporter.paused():
            if due(output.picture_kimg) or growing:
                _draw(session, phase, position)
            results = _measure(session, phase, position) if measuring else {}
            if saving:
                _save(session, position, results)
    if saving:
        session.world.wait()


def is_due(every_kimg: float, before: int, shown: int) -> bool:
    """Whether a multiple of so many kimg lies behind `before`, and not behind `shown` reals."""
    every = every_kimg * 1000
    return shown // every > before // every


def _tick(session: Session, phase: Phase, position: Position) -> None:
    row = {} if session.reporter is None else session.reporter.tick(phase, shown=position.shown)
    if session.step.finite():
        return
    if session.reporter is not None:
        _save(session, position, {})
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in row.items() if "loss" in name)
    raise DataError(
        f"kimg {position.shown / 1000:,.1f} ({phase.resolution}x{phase.resolution}): a loss or a "
        f"gradient was not finite ({numbers}); weights as they were before that step are in "
        f"{session.checkpoints.latest()}. Resume with --set precision=float32 or from an earlier "
        "checkpoint (--checkpoint), or begin a run of a lower learning_rate"
    )


def _draw(session: Session, phase: Phase, position: Position) -> None:
    if session.reporter is not None:
        columns, rows = session.reporter.grid
        images = session.pictures(phase, range(columns * rows))
        session.reporter.pictures(images, shown=position.shown)


def _measure(session: Session, phase: Phase, position: Position) -> Mapping[str, Result]:
    if session.measurements is None or session.reporter is None:
        return {}
    results = session.measurements.measure(lambda seeds: session.pictures(phase, seeds))
    session.reporter.measured(results, shown=position.shown, resolution=phase.resolution)
    return results


@contextmanager
def _enough_memory(session: Session, phase: Phase) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        division = divide_minibatch(
            phase.minibatch_size, session.settings, world_size=session.world.size
        )
        raise SetupError(
            f"{session.world.device}: out of memory at {phase.resolution}x{phase.resolution} with "
            f"{division.microbatch} pictures at once; the run is saved in "
            f"{session.checkpoints.latest()}: go on with `pgan-toolkit train --resume "
            f"{session.checkpoints.folder.path} --set microbatch_size="
            f"{max(division.microbatch // 2, 1)}`, or on a GPU with more memory"
        ) from error


def _save(session: Session, position: Position, results: Mapping[str, Result]) -> None:
    state = TrainingState(
        images_shown=position.shown,
        steps=position.steps,
        step_state=session.step.state(),
        scores={name: result.value for name, result in results.items()},
        world_size=session.world.size,
        device=str(session.world.device),
    )
    session.checkpoints.save(session.step.parts(), state)
