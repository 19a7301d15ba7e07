"""Seconds a kimg of the trainer's steps, resolution by resolution, beside their floor and a peer.

The networks are Table 2's, whole (`celebahq-1024`), at the paper's minibatch sizes, where nothing
fades. Every program is measured at every resolution in a process of its own. The floor is what the
step's multiply-adds take at the best rate that one large convolution or matrix product reaches
on the same device, with as many threads, in the same run.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from pgan_toolkit.devices import has_bfloat16
from reference_trainer.configuration import load_preset
from reference_trainer.networks import build_networks, describe
from reference_trainer.reals import RealBatch
from reference_trainer.schedule import Phase, phase_at, phases
from reference_trainer.training import World
from reference_trainer.training.precision import Precision, computing
from reference_trainer.training.step import TrainingStep

__all__ = ["PRESET", "measure_speed", "measured_once", "multiply_adds_of_a_real", "step_of"]

PRESET = "celebahq-1024"
G_PASSES = 4
"""Passes through G for each real: forward for D's fakes and for its own, whose way back is two
(gradients of the maps, and of the weights)."""
D_PASSES = 14
"""Passes through D for each real: three each for the fakes and the reals (forward, and two back);
for the penalty one forward, one back to the pictures, and four to derive that by the weights, for
the way back depends on them directly, and by the statistic of the minibatch through the maps on
the way forth; for G forward and back to the pictures."""

_LEAST_CALLS, _CALLS_BEFORE_A_WAIT = 3, 5

Settings = argparse.Namespace


def measure_speed(settings: Settings) -> dict[str, Any]:
    """Measure all programs at all resolutions, one after the other.

    Parameters
    ----------
    settings : Namespace
        device, threads, sizes, seconds, minibatch_size and clock of the command.
    """
    rates = _in_a_process("rates", 0, settings)
    print(json.dumps(rates), flush=True)
    rows = []
    for size in settings.sizes:
        for program in ("plain", *rates["rates"]):
            rows.append(_in_a_process(program, size, settings))
            print(json.dumps(rows[-1]), flush=True)
    return {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "torch": torch.__version__,
            "device": rates["device"],
            "load_average": rates["load_average"],
        },
        "preset": PRESET,
        "threads": settings.threads,
        "clock": settings.clock,
        "rates": rates["rates"],
        "by_resolution": [
            _summary(size, rows, rates["rates"], settings) for size in settings.sizes
        ],
        "measurements": rows,
    }


def _in_a_process(program: str, size: int, settings: Settings) -> dict[str, Any]:
    words = ["speed", "--one", program, "--sizes", str(size)]
    for name in ("device", "threads", "seconds", "minibatch_size"):
        words += [f"--{name.replace('_', '-')}", str(getattr(settings, name))]
    script = Path(__file__).with_name("trainer.py")
    done = subprocess.run(
        [sys.executable, str(script), *words], stdout=subprocess.PIPE, check=True, text=True
    )
    return dict(json.loads(done.stdout))


def _summary(
    size: int, rows: Sequence[dict[str, Any]], rates: dict[str, Any], settings: Settings
) -> dict[str, Any]:
    """One line of the table: seconds a kimg by the clock asked for."""
    key = "seconds" if settings.clock == "wall" else "processor_seconds"
    here = {row["program"]: row for row in rows if row["resolution"] == size}
    taken = {program: row[key] / row["minibatch_size"] * 1000 for program, row in here.items()}
    work = multiply_adds_of_a_real(size)
    row: dict[str, Any] = {
        "resolution": size,
        "minibatch_size": here["plain"]["minibatch_size"],
        "multiply_adds_of_a_real": work,
        "seconds_per_kimg": {name: round(value, 3) for name, value in taken.items()},
        "peak_mib": {name: row["peak_mib"] for name, row in here.items()},
        "floor_seconds_per_kimg": {
            kind: round(1000 * work / found[key], 3) for kind, found in rates.items()
        },
    }
    row["times_as_fast_as_plain"] = {
        name: round(taken["plain"] / value, 2) for name, value in taken.items() if name != "plain"
    }
    return row


def multiply_adds_of_a_real(resolution: int) -> int:
    """Return the multiplications of weights, or of their gradients, that a step has for each real.

    Parameters
    ----------
    resolution : int
        Of the preset's networks, pixels.
    """
    with torch.device("meta"):
        networks = build_networks(load_preset(PRESET), generator=torch.Generator())
    g, d = (
        sum(row.multiply_adds for row in describe(network, resolution=resolution))
        for network in (networks.generator, networks.discriminator)
    )
    return G_PASSES * g + D_PASSES * d


def measured_once(settings: Settings) -> dict[str, Any]:
    """Measure one program, or the device's rates, in this process."""
    torch.set_num_threads(settings.threads)
    device = torch.device(settings.device)
    if settings.one == "rates":
        return _device_rates(device, seconds=settings.seconds)
    phase = _phase(settings.sizes[0])
    count = settings.minibatch_size or phase.minibatch_size
    step = step_of(settings.one, phase.resolution, minibatch_size=count, device=device)
    before_mib = _peak_mib(device)
    return {
        "program": settings.one,
        "resolution": phase.resolution,
        "minibatch_size": count,
        **_timed(step, device, seconds=settings.seconds),
        "peak_mib": _peak_mib(device),
        "peak_mib_before": before_mib,
    }


def step_of(
    program: str,
    resolution: int,
    *,
    minibatch_size: int = 0,
    device: torch.device | str = "cpu",
) -> Callable[[], object]:
    """Return what makes a step of a program: "plain", or our precision.

    Parameters
    ----------
    program : {"plain", "float32", "tf32", "bfloat16"}
        Which.
    resolution : int
        Pixels.
    minibatch_size : int
        0: the paper's.
    device : torch.device or str
        Where it computes.
    """
    phase = _phase(resolution)
    count = minibatch_size or phase.minibatch_size
    pictures = torch.randint(0, 256, (count, 3, resolution, resolution)).to(device, torch.uint8)
    return (_plain if program == "plain" else _ours)(program, phase, pictures)


def _phase(resolution: int) -> Phase:
    """Where the preset trains this resolution and nothing fades."""
    settings = load_preset(PRESET)
    stretch = next(
        each for each in phases(settings) if each.resolution == resolution and not each.fading
    )
    return phase_at(round(stretch.from_kimg * 1000), settings)


def _ours(program: str, phase: Phase, pictures: torch.Tensor) -> Callable[[], object]:
    count = len(pictures)
    changes = [f"precision={program}", f"minibatch_size={count}", "minibatch_sizes={}"]
    settings = load_preset(PRESET, changes=changes)
    networks = build_networks(settings, generator=torch.Generator().manual_seed(0))
    step = TrainingStep(networks, settings, world=World(device=pictures.device))
    phase = phase_at(round(1000 * phase.kimg), settings)
    return lambda: step.run(phase, step=0, reals=lambda: RealBatch(pictures, None))


def _plain(_: str, phase: Phase, pictures: torch.Tensor) -> Callable[[], object]:
    from plain_trainer import PlainStep

    step = PlainStep(phase.resolution, pictures.device)
    return lambda: step.run(pictures)


def _device_rates(device: torch.device, *, seconds: float) -> dict[str, Any]:
    """Multiply-adds a second of the better of a convolution and a product, by precision."""
    on_cuda = device.type == "cuda"
    rates = {}
    precision: Precision
    for precision in ("tf32" if on_cuda else "float32", "bfloat16"):
        kind = torch.bfloat16 if precision == "bfloat16" else torch.float32
        if kind is torch.float32 or has_bfloat16(device):
            with computing(precision, device):
                rates[precision] = _rate(device, kind, seconds)
    return {
        "device": torch.cuda.get_device_name(device) if on_cuda else "cpu",
        "load_average": round(os.getloadavg()[0], 1),
        "rates": rates,
    }


def _rate(device: torch.device, kind: torch.dtype, seconds: float) -> dict[str, float]:
    side, count = (8192, 32) if device.type == "cuda" else (2048, 4)
    a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    maps = torch.randn(count, 512, 32, 32, device=device, dtype=kind)
    maps = maps.to(memory_format=torch.channels_last)
    weights = torch.randn(512, 512, 3, 3, device=device, dtype=kind)
    weights = weights.to(memory_format=torch.channels_last)
    matmul = _timed(lambda: a @ b, device, seconds=seconds)
    conv = _timed(
        lambda: torch.nn.functional.conv2d(maps, weights, padding=1), device, seconds=seconds
    )
    work = {"matmul": side**3, "conv": count * 1024 * weights.numel()}
    return {
        key: round(max(work["matmul"] / matmul[key], work["conv"] / conv[key]))
        for key in ("seconds", "processor_seconds")
    }


def _timed(call: Callable[[], object], device: torch.device, *, seconds: float) -> dict[str, float]:
    """Return the median times of a call, of three or more after one to warm up.

    On CUDA several calls are made before the clock waits for the device, as in training.
    """
    together = _CALLS_BEFORE_A_WAIT if device.type == "cuda" else 1
    _once(call, device, calls=together)
    times: list[tuple[float, float]] = []
    while len(times) < _LEAST_CALLS or together * sum(wall for wall, _ in times) < seconds:
        times.append(_once(call, device, calls=together))
    return {
        "calls": together * len(times),
        "seconds": statistics.median(wall for wall, _ in times),
        "processor_seconds": statistics.median(processor for _, processor in times),
    }


def _once(call: Callable[[], object], device: torch.device, *, calls: int) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(calls):
        call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - wall) / calls, (time.process_time() - processor) / calls


def _peak_mib(device: torch.device) -> float:
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / (1 << 20), 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
