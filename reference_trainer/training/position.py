"""How far a run is, and what comes next."""

from collections.abc import Iterator
from dataclasses import dataclass

from reference_trainer.configuration import RunSettings
from reference_trainer.division import divide_minibatch
from reference_trainer.reals import BatchPlan
from reference_trainer.schedule import Phase, phase_at
from reference_trainer.training.distributed import World

__all__ = ["Position", "is_due", "plans"]


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
    """Yield which reals each update of D takes in this process, from a position to the end."""
    position, total = start, settings.schedule.total_kimg * 1000
    while position.shown < total:
        phase = phase_at(position.shown, settings)
        share = divide_minibatch(phase.minibatch_size, settings, world_size=world.size).share
        for repeat in range(_updates(settings)):
            first = position.shown + repeat * phase.minibatch_size
            yield BatchPlan(first + world.rank * share, share, phase.resolution)
        position = position.after_step(phase, settings)


def is_due(every_kimg: float, before: int, shown: int) -> bool:
    """Whether a multiple of so many kimg lies behind `before`, and not behind `shown` reals."""
    every = every_kimg * 1000
    return shown // every > before // every


def _updates(settings: RunSettings) -> int:
    """Minibatches of reals a step."""
    return settings.optimization.discriminator_steps
