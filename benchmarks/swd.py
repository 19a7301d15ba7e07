"""Time and memory of the sliced Wasserstein distance, against plain NumPy and SciPy.

    python benchmarks/swd.py [--images 2048] [--size 128] [--threads 2] [--device cuda] [--json F]

Both programs run from uint8 arrays to the number, in turn, each time in a process of its own with
the same number of threads, whose peak memory the system reports. Processor seconds are stated
beside the wall's: they tell whether the machine was busy with something else. --device is where
ours computes, after a first call of a few images that is not timed; the plain one is on the CPU.
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
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PROGRAMS = ("plain", "ours")
Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def main() -> None:
    """Measure, print and, if asked, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=2048, help="of each side")
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="of ours: cpu, cuda or cuda:N")
    parser.add_argument("--runs", type=int, default=3, help="of each program")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", choices=PROGRAMS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments)))
        return
    runs = [run(name, arguments) for _ in range(arguments.runs) for name in PROGRAMS]
    result = summarize(arguments, runs)
    print(json.dumps(result, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


def run(program: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure one program in a new process."""
    threads = str(arguments.threads)
    environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    command = [sys.executable, __file__, "--one", program, "--threads", threads]
    command += ["--images", str(arguments.images), "--size", str(arguments.size)]
    command += ["--device", arguments.device]
    done = subprocess.run(
        command, env=os.environ | environment, stdout=subprocess.PIPE, check=True, text=True
    )
    return dict(json.loads(done.stdout), program=program)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time one program in this process."""
    program = load_plain() if arguments.one == "plain" else load_ours(arguments)
    sides = pictures(arguments.images, arguments.size)
    base_mib = _peak_mib()
    wall, processor = time.perf_counter(), time.process_time()
    levels = program(sides)
    return {
        "seconds": time.perf_counter() - wall,
        "processor_seconds": time.process_time() - processor,
        "peak_mib": _peak_mib(),
        "peak_mib_before": base_mib,
        "levels": [round(level, 4) for level in levels],
    }


def load_plain() -> Callable[[Pair], list[float]]:
    """Return the plain program; the environment has set its threads."""
    from plain_swd import plain_swd

    return lambda sides: plain_swd(*sides)


def load_ours(arguments: argparse.Namespace) -> Callable[[Pair], list[float]]:
    """Return ours, where a GPU has begun to work already."""
    import torch

    from pgan_toolkit.metrics.swd import sliced_wasserstein_distance

    torch.set_num_threads(arguments.threads)

    def program(sides: Pair) -> list[float]:
        result = sliced_wasserstein_distance(*sides, device=arguments.device)
        return [*result.components.values(), result.value]

    if arguments.device != "cpu":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that so few images say little
            program(pictures(8, arguments.size))
    return program


def pictures(count: int, size: int) -> Pair:
    """Two sets of coarse blocks with noise on them, (count, 3, size, size)."""
    return _blocks(1, count, size), _blocks(2, count, size)


def _blocks(seed: int, count: int, size: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 192, (count, 3, size // 8, size // 8), dtype=np.uint8)
    noise = random.integers(0, 64, (count, 3, size, size), dtype=np.uint8)
    return coarse.repeat(8, axis=2).repeat(8, axis=3) + noise


def summarize(arguments: argparse.Namespace, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians by program, and how many times as fast ours is."""
    middle = {
        name: {
            key: statistics.median(each[key] for each in runs if each["program"] == name)
            for key in ("seconds", "processor_seconds", "peak_mib")
        }
        for name in PROGRAMS
    }
    return {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "numpy": np.__version__,
        },
        "images_a_side": arguments.images,
        "size": arguments.size,
        "threads": arguments.threads,
        "device": arguments.device,
        "median": middle,
        "times_as_fast": round(middle["plain"]["seconds"] / middle["ours"]["seconds"], 2),
        "times_less_processor": round(
            middle["plain"]["processor_seconds"] / middle["ours"]["processor_seconds"], 2
        ),
        "runs": runs,
    }


def _peak_mib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


if __name__ == "__main__":
    main()
