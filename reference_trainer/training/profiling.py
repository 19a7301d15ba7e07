"""Where the time of a step goes."""

import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.profiler import ProfilerActivity, profile

from pgan_toolkit.storage import Place
from reference_trainer.configuration import RunSettings
from reference_trainer.division import divide_minibatch
from reference_trainer.reals import BatchPlan, RealBatch, RealLoader
from reference_trainer.schedule import Phase, phase_at, phases
from reference_trainer.training.distributed import World, joined_world
from reference_trainer.training.memory import enough_memory
from reference_trainer.training.options import RunOptions
from reference_trainer.training.parts import PREFIX
from reference_trainer.training.start import check_reals, prepared_step
from reference_trainer.training.step import TrainingStep

__all__ = ["profile_steps"]

_WARM_UP_STEPS = 3
_OPERATIONS = 20


@dataclass
class _Reals:
    """Gives the loader's minibatches, and counts the seconds in which there was none."""

    loader: Iterator[RealBatch]
    waited_s: float = 0.0

    def __call__(self) -> RealBatch:
        begun = time.perf_counter()
        batch = next(self.loader)
        self.waited_s += time.perf_counter() - begun
        return batch


def profile_steps(settings: RunSettings, *, data: Place, steps: int, options: RunOptions) -> str:
    """Train some steps from random weights in the run's last phase; no run is begun.

    Parameters
    ----------
    settings : RunSettings
        Of the run.
    data : Path | RemotePath
        Its pictures.
    steps : int
        How many to time, after three to warm up; as many again are traced.
    options : RunOptions
        Where to compute.

    Returns
    -------
    str
        Milliseconds a step, seconds a kimg, the share in which the step waited for pictures, the
        shares of its parts, and the operations that took most of the time. Parts are timed by the
        CPU's clock: on a GPU that is the time in which they are launched.

    Raises
    ------
    UsageError, DataError, SetupError
        As `begin_training`.
    """
    with joined_world(options.device) as world:
        reals = check_reals(settings, data=data, options=options, world=world)
        step = prepared_step(settings, reals, world=world)
        phase = phase_at(round(phases(settings)[-1].to_kimg * 1000) - 1, settings)
        with (
            RealLoader(reals, _plans(phase, settings, world=world), device=world.device) as loader,
            enough_memory(phase, settings, world=world, remedy=lambda change: f"retry{change}"),
        ):
            source = _Reals(loader)
            _run(step, phase, source, steps=_WARM_UP_STEPS, device=world.device)
            source.waited_s = 0.0
            seconds = _run(step, phase, source, steps=steps, device=world.device)
            waited_s = source.waited_s
            # Or the tracer writes lines of its own to the terminal.
            os.environ.setdefault("KINETO_LOG_LEVEL", "99")
            with profile(activities=_activities(world.device)) as trace:
                _run(step, phase, source, steps=steps, device=world.device)
    shown = steps * phase.minibatch_size * settings.optimization.discriminator_steps
    by = "self_device_time_total" if world.device.type == "cuda" else "self_cpu_time_total"
    operations = trace.key_averages().table(sort_by=by, row_limit=_OPERATIONS)
    return (
        f"{phase.resolution}x{phase.resolution}, minibatch {phase.minibatch_size}, "
        f"{step.precision} on {world.device}: {1000 * seconds / steps:.1f} ms a step, "
        f"{1000 * seconds / shown:.2f} s/kimg, {100 * waited_s / seconds:.1f} % of it waiting for "
        f"pictures\n\n{_parts(trace)}\n\n{operations}"
    )


def _parts(trace: profile) -> str:
    """Each part's share of the time of all parts, most first."""
    found = [
        event
        for event in trace.key_averages()
        if event.key.startswith(PREFIX) and event.cpu_time_total > 0  # not a GPU's own entry of it
    ]
    found.sort(key=lambda event: event.cpu_time_total, reverse=True)
    total = max(sum(event.cpu_time_total for event in found), 1e-9)
    return "\n".join(
        f"{100 * event.cpu_time_total / total:5.1f} %  {event.key.removeprefix(PREFIX)}"
        for event in found
    )


def _plans(phase: Phase, settings: RunSettings, *, world: World) -> Iterator[BatchPlan]:
    """Yield minibatch after minibatch of one phase, for as long as it may take."""
    share = divide_minibatch(phase.minibatch_size, settings, world_size=world.size).share
    for first in itertools.count(world.rank * share, phase.minibatch_size):
        yield BatchPlan(first, share, phase.resolution)


def _run(
    step: TrainingStep, phase: Phase, reals: _Reals, *, steps: int, device: torch.device
) -> float:
    """Return the seconds that so many steps take."""
    begun = time.perf_counter()
    for number in range(steps):
        step.run(phase, step=number, reals=reals)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begun


def _activities(device: torch.device) -> list[ProfilerActivity]:
    on_gpu = [ProfilerActivity.CUDA] if device.type == "cuda" else []
    return [ProfilerActivity.CPU, *on_gpu]
