"""Time and memory of the build, against the plain Pillow and SciPy program in the same run.

    python benchmarks/build_celebahq.py --data celeba_wild [--json result.json]

Whole builds as the command makes them, with one and with two workers in turn, each in a process
of its own, whose peak memory the system reports. Then photograph by photograph on one core, ours
and the plain one in turn, from the JPEG file to the PNG file.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import plain_recipe

from pgan_toolkit.celebahq import (
    PROFILES,
    Photograph,
    PhotographSet,
    find_photographs,
    plan_crop,
    render_crop,
)
from pgan_toolkit.imaging import decode_image, encode_png, image_size, limit_threads
from pgan_toolkit.restoration import open_restorer

RESTORER = open_restorer("lanczos")
SIZE = 1024


@dataclass(frozen=True)
class Pair:
    """Seconds that one photograph took both programs."""

    key: str
    padded: bool
    plain: float
    ours: float


@dataclass(frozen=True)
class Build:
    """One whole build by the command."""

    workers: int
    wall_seconds: float
    peak_mib: float


def main() -> None:
    """Measure, print and, if asked, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="photographs with landmarks")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="paper")
    parser.add_argument("--builds", type=int, default=3, help="builds per number of workers")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    limit_threads(1)
    source = find_photographs(arguments.data)
    # The builds come first: a process inherits the peak memory of the one that started it.
    builds = [build(arguments.data, workers) for _ in range(arguments.builds) for workers in (1, 2)]
    helps = [seconds_of(lambda: _run("--help")) for _ in range(7)]
    pairs = compare(source, arguments.profile)
    result = summarize(arguments.profile, pairs, builds, helps)
    print(json.dumps(result, indent=2))
    if arguments.json:
        result["photographs_each"] = [asdict(pair) for pair in pairs]
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


def compare(source: PhotographSet, profile: str) -> list[Pair]:
    """Render every photograph by both programs in turn."""
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "crop.png"
        for photograph in source:
            plain = seconds_of(lambda photograph=photograph: _plain(photograph, out, profile))  # type: ignore[misc]
            ours = seconds_of(lambda photograph=photograph: _ours(photograph, out, profile))  # type: ignore[misc]
            pairs.append(Pair(photograph.key, _is_padded(photograph), plain, ours))
            print(f"{photograph.key}  plain {plain:6.2f} s  ours {ours:6.3f} s", file=sys.stderr)
    return pairs


def build(data: Path, workers: int) -> Build:
    """Run the command on all photographs, keeping all."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        peak = _run(
            "build-celebahq", "--src", str(data), "--out", f"{folder}/hq",
            "--restorer", "lanczos",
            "--workers", str(workers), "--quiet",
        )  # fmt: skip
        return Build(workers, time.perf_counter() - start, peak)


def summarize(
    profile: str, pairs: list[Pair], builds: list[Build], helps: list[float]
) -> dict[str, object]:
    """Totals, medians and ratios."""
    walls = {
        workers: [b.wall_seconds for b in builds if b.workers == workers] for workers in (1, 2)
    }
    ratios = [one / two for one, two in zip(walls[1], walls[2], strict=True)]
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "profile": profile,
        "photographs": len(pairs),
        "one_core_seconds": {"plain": _sum(pairs, "plain"), "ours": _sum(pairs, "ours")},
        "one_core_ratio": round(_sum(pairs, "plain") / _sum(pairs, "ours"), 2),
        "median_seconds": {
            name: {
                program: round(
                    statistics.median(getattr(p, program) for p in pairs if p.padded is padded), 3
                )
                for program in ("plain", "ours")
            }
            for name, padded in (("unpadded", False), ("padded", True))
        },
        "builds": [asdict(b) for b in builds],
        "two_workers_ratio_each": [round(ratio, 2) for ratio in ratios],
        "two_workers_ratio_median": round(statistics.median(ratios), 2),
        "peak_mib_one_worker": round(max(b.peak_mib for b in builds if b.workers == 1)),
        "help_seconds_median": round(statistics.median(helps), 3),
    }


def seconds_of(work: Callable[[], object]) -> float:
    """Wall-clock seconds of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _plain(photograph: Photograph, out: Path, profile: str) -> None:
    landmarks = np.asarray(photograph.landmarks, np.float64)
    box = PROFILES[profile].final_filter == "box"
    plain_recipe.render(Path(str(photograph.path)), landmarks, SIZE, box=box).save(out)


def _ours(photograph: Photograph, out: Path, profile: str) -> None:
    if photograph.landmarks is None:
        raise SystemExit(f"{photograph.path}: {photograph.problem}")
    image = decode_image(
        photograph.path.read_bytes(), name=str(photograph.path), apply_orientation=False
    )
    crop = render_crop(
        image, photograph.landmarks, profile=PROFILES[profile], restorer=RESTORER, output_size=SIZE
    )
    out.write_bytes(encode_png(crop))


def _is_padded(photograph: Photograph) -> bool:
    height, width = image_size(photograph.path.read_bytes(), name=str(photograph.path))
    if photograph.landmarks is None:
        return False
    plan = plan_crop(photograph.landmarks, width=width, height=height, output_size=SIZE)
    return plan.margins is not None


def _run(*words: str) -> float:
    """Run the command; return the peak memory of its largest process, MiB."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pgan_cli", *words], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)}: failed with status {status}")
    return float(usage.ru_maxrss) / 1024


def _sum(pairs: list[Pair], program: str) -> float:
    return round(sum(float(getattr(pair, program)) for pair in pairs), 2)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
