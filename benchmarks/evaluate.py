"""Time and memory of an evaluation, against each of its metrics alone and against a second run.

    python benchmarks/evaluate.py PICTURES [--images 5000] [--size 64] [--json out.json]

PICTURES is any set; its pictures are resized and dealt out to two zip files of PNG, and mirrored
where there are too few. Everything is measured from the files to the numbers, in a process of its
own, the real side's cache empty but for the second run. Processor seconds are stated beside the
wall's: they tell whether the machine was busy with something else.

"overlap" reads the pictures alone, and once more for a device that takes as long over them: one
that waited for the pictures, or they for it, would take the sum of both.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

PROGRAMS = ("swd", "ms-ssim", "evaluate", "evaluate again", "evaluate with page", "overlap")
_MIB = 1024


def main() -> None:
    """Measure, print and, if asked, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--images", type=int, default=5000, help="of each side")
    parser.add_argument("--size", type=int, default=64, help="pixels a side")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", choices=PROGRAMS, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments)))
        return
    with tempfile.TemporaryDirectory() as folder:
        make_sets(arguments, Path(folder))
        runs = {name: run(name, arguments, Path(folder)) for name in PROGRAMS}
    result = summarize(arguments, runs)
    print(json.dumps(result, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


def make_sets(arguments: argparse.Namespace, folder: Path) -> None:
    """Write real.zip and fake.zip."""
    from pgan_toolkit.imaging import lanczos_resize
    from pgan_toolkit.storage import Record, open_sink, open_source

    source, size = open_source(arguments.pictures), arguments.size
    for side, name in enumerate(("real", "fake")):
        with open_sink(folder / f"{name}.zip") as sink:
            for number in range(arguments.images):
                turn, index = divmod(2 * number + side, len(source))
                image = lanczos_resize(source[index].image, width=size, height=size)
                mirrored = image[:, ::-1] if turn % 2 else image
                sink.write(Record(f"{number:06d}", np.ascontiguousarray(mirrored)))


def run(program: str, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure one program in a new process."""
    threads = str(arguments.threads)
    environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    cache = folder / program.removesuffix(" again")
    command = [sys.executable, __file__, str(folder), "--one", program, "--cache", str(cache)]
    done = subprocess.run(
        [*command, "--images", str(arguments.images), "--threads", threads],
        env=os.environ | environment, stdout=subprocess.PIPE, check=True, text=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run one program here."""
    import torch

    from pgan_toolkit.evaluation import (
        EvaluationSettings,
        ImageStream,
        StatisticsCache,
        StreamSettings,
        evaluate,
        measure_ms_ssim,
        measure_swd,
    )
    from pgan_toolkit.evaluation.pages import PageLook, report_html

    torch.set_num_threads(arguments.threads)
    if arguments.one == "overlap":
        return measure_overlap(arguments)
    cache = StatisticsCache(arguments.cache)
    real, fake = (arguments.pictures / f"{side}.zip" for side in ("real", "fake"))
    how = StreamSettings(images=arguments.images, mode="quiet", workers=arguments.threads)
    wall, processor = time.monotonic(), time.process_time()
    if arguments.one == "swd":
        measure_swd(ImageStream(real, how), [ImageStream(fake, how)], cache=cache)
    elif arguments.one == "ms-ssim":
        measure_ms_ssim(ImageStream(fake, how))
    else:
        look = PageLook() if "page" in arguments.one else None
        settings = EvaluationSettings(
            mode="quiet", device="cpu", workers=arguments.threads, onlooker=look
        )
        metrics = ["swd", "ms-ssim"]
        report = evaluate(
            real, fake, metrics=metrics, images=arguments.images, settings=settings, cache=cache
        )
        if look is not None:
            report_html(report, look)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "wall_s": round(time.monotonic() - wall, 2),
        "processor_s": round(time.process_time() - processor, 2),
        "peak_mib": round(peak / _MIB),
        "cache_mib": round(sum(each.stat().st_size for each in cache.folder.glob("*")) / _MIB**2),
    }


class Device:
    """What takes so many seconds over each picture, and no processor."""

    def __init__(self, seconds_a_picture: float) -> None:
        self._seconds = seconds_a_picture

    def update(self, images: Any, *, first: int | None = None) -> None:
        """Compute with a batch."""
        time.sleep(self._seconds * len(images))

    def merge(self, other: Any) -> None:
        """Nothing is kept."""


def measure_overlap(arguments: argparse.Namespace) -> dict[str, Any]:
    """Read a set for a device that takes no time, and for one that takes as long as reading."""
    from pgan_toolkit.evaluation import ImageStream, StreamSettings, feed

    def read(device: Device) -> float:
        how = StreamSettings(images=arguments.images, mode="quiet", workers=arguments.threads)
        start = time.monotonic()
        feed(ImageStream(arguments.pictures / "fake.zip", how), device)
        return time.monotonic() - start

    alone = read(Device(0))
    both = read(Device(alone / arguments.images))
    return {
        "reading_s": round(alone, 2),
        "device_s": round(alone, 2),
        "together_s": round(both, 2),
        "hidden": round((2 * alone - both) / alone, 3),
    }


def summarize(arguments: argparse.Namespace, runs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return what the runs say of each other, by processor and by wall."""
    ratios = {}
    for unit in ("processor_s", "wall_s"):
        slowest = max(runs[name][unit] for name in ("swd", "ms-ssim"))
        first, second = (runs[name][unit] for name in ("evaluate", "evaluate again"))
        ratios[unit] = {
            "evaluate against the slowest alone": round(first / slowest, 3),
            "second run against the first": round(second / first, 3),
            "with a page against without": round(runs["evaluate with page"][unit] / first, 3),
        }
    return {
        "images a side": arguments.images,
        "size": arguments.size,
        "threads": arguments.threads,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "runs": runs,
        "ratios": ratios,
    }


if __name__ == "__main__":
    main()
