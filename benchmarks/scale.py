"""What a build of very many photographs costs besides the work on each, and the builds at hand.

    python benchmarks/scale.py overhead [--items 10000 100000 1000000] [--json result.json]
    python benchmarks/scale.py ledger [--items 1000000]
    python benchmarks/scale.py builds --data celeba_wild [--restorer nets]

`overhead`: photographs whose work is nothing go through each engine, and rows come back; each run
is a process of its own, whose peak memory is the driver's. `ledger`: rows written and taken up
again. `builds`: whole builds by one and two processes, and on a cluster of two nodes of one CPU
each on this machine, which needs the extra `ray`.
"""

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pgan_toolkit.celebahq import (
    BuildSettings,
    Ledger,
    Photograph,
    Row,
    Wish,
    build_dataset,
    read_status,
    select,
)
from pgan_toolkit.engines import open_engine

ENGINES = ("local 1", "local 2", "ray 2")
_COMMIT_ROWS = 1000
_LANDMARKS = np.arange(10, dtype=np.float32).reshape(5, 2)
_POINTS = tuple((float(x), float(y)) for x, y in _LANDMARKS)


def main() -> None:
    """Measure what was named, print it and, if asked, write it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("what", choices=["overhead", "ledger", "builds", "one-overhead"])
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help="photographs with landmarks, for builds")
    parser.add_argument("--restorer", default="nets")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    result: object
    if arguments.what == "overhead":
        result = [_apart(engine, items) for engine in ENGINES for items in arguments.items]
    elif arguments.what == "one-overhead":
        result = overhead(arguments.engine, arguments.items[0])
    elif arguments.what == "ledger":
        result = ledger_costs(max(arguments.items))
    else:
        result = [_shown(timed_build(arguments.data, e, arguments.restorer)) for e in ENGINES]
    print(json.dumps(result, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


def overhead(engine: str, items: int) -> dict[str, object]:
    """Send photographs whose work is nothing through an engine."""
    with _opened(engine) as opened:
        results = opened.map(nothing, photographs(items), prepare=ready, on_lost=lost)
        with contextlib.closing(results):
            next(results)  # the workers have started
            before, start = _peak_mib(), time.perf_counter()
            rest = sum(len(rows) for rows in results)
            seconds = time.perf_counter() - start
    return {
        "engine": engine,
        "items": rest + 1,
        "ms_per_item": round(1000 * seconds / rest, 4),
        "driver_peak_mib": round(_peak_mib(), 1),
        "of_that_after_the_first_item_mib": round(_peak_mib() - before, 1),
    }


def ledger_costs(count: int) -> dict[str, object]:
    """Write rows as a build does, take the build up again, count, and select."""
    photographs_mib = _memory_of_photographs(count)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "hq"
        path = Path(folder) / "hq.build" / "ledger.sqlite"
        path.parent.mkdir()
        with Ledger(path) as ledger:
            start = time.perf_counter()
            for first in range(0, count, _COMMIT_ROWS):
                ledger.add(row(n) for n in range(first, min(first + _COMMIT_ROWS, count)))
            written = time.perf_counter() - start
        with Ledger(path) as ledger:
            resumed = _seconds(lambda: len(ledger.scored_photographs()))
            status = _seconds(lambda: read_status(out))
            before = _peak_mib()
            _shown({"rows_per_second": count / written, "resume_s": resumed, "status_s": status})
            selected = _seconds(lambda: select(ledger.rows(), Wish(count=30_000)))
            selecting = _peak_mib() - before
        return {
            "rows": count,
            "rows_per_second": round(count / written),
            "bytes_per_row": round(path.stat().st_size / count),
            "resume_seconds": round(resumed, 2),
            "status_seconds": round(status, 2),
            "select_seconds": round(selected, 2),
            "select_peak_mib_more": round(selecting),
            "photographs_mib": round(photographs_mib),
        }


def timed_build(data: Path, engine: str, restorer: str) -> dict[str, object]:
    """Build from all photographs by an engine; the workers' start is in the time."""
    with tempfile.TemporaryDirectory() as folder, _opened(engine) as opened:
        settings = BuildSettings(
            src=data, out=Path(folder) / "hq", restorer=restorer, workers=opened.workers
        )
        start = time.perf_counter()
        summary = build_dataset(settings, engine=opened, mode="quiet")
        seconds = time.perf_counter() - start
        size = sum(path.stat().st_size for path in settings.out.glob("*.png"))
    count = summary.photographs
    return {
        "engine": engine,
        "photographs": count,
        "wall_seconds": round(seconds, 1),
        "photographs_per_second": round(count / seconds, 3),
        "ms_per_photograph_and_stage": {
            stage: round(1000 * spent / count, 1) for stage, spent in summary.seconds.items()
        },
        "output_bytes_per_picture": round(size / summary.kept),
    }


def photographs(count: int) -> Iterator[Photograph]:
    """Make photographs as they are needed."""
    folder = Path("/photographs/img_celeba")
    return (Photograph(f"{n:06d}", folder / f"{n:06d}.jpg", _LANDMARKS) for n in range(count))


def row(number: int) -> Row:
    """Return a row as long as real ones."""
    name, score = f"{number:06d}", float(number * 7919 % 1_000_003)
    digest = f"{number:064x}"
    seconds = dict.fromkeys(("decode", "locate", "digest", "render", "score", "write"), 0.123456789)
    return Row(
        name, name, f"{name}.jpg", "scored", pixel_digest=digest, crop_digest=digest,
        landmarks=_POINTS, quad=_POINTS[:4], zoom=2.34567, score=score, seconds=seconds,
    )  # fmt: skip


def ready() -> None:
    """Prepare a worker that needs nothing."""


def nothing(_: None, photograph: Photograph) -> list[Row]:
    """Return a row without looking at the photograph."""
    return [row(int(photograph.key))]


def lost(photograph: Photograph) -> list[Row]:
    """Stop: nothing here ends a worker."""
    raise SystemExit(f"{photograph.key}: its worker died")


@contextlib.contextmanager
def _opened(engine: str):  # type: ignore[no-untyped-def]
    name, workers = engine.split()
    if name == "local":
        with open_engine("local", workers=int(workers)) as opened:
            yield opened
        return
    from ray.cluster_utils import Cluster

    node: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    head = {**node, "include_dashboard": False}
    # A node's workers find this module by the path that they are started with.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        cluster.add_node(**node)
        with open_engine("ray", address=cluster.address, workers=int(workers)) as opened:
            yield opened
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]


def _apart(engine: str, items: int) -> object:
    """Measure in a process of its own, whose peak memory is of this alone."""
    words = ["one-overhead", "--engine", engine, "--items", str(items)]
    done = subprocess.run(
        [sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, check=True
    )
    print(done.stdout, file=sys.stderr)
    return json.loads(done.stdout[done.stdout.index("{") :])


def _shown(result: dict[str, object]) -> dict[str, object]:
    """Print a result as soon as it is there; return it."""
    print(json.dumps(result), file=sys.stderr, flush=True)
    return result


def _memory_of_photographs(count: int) -> float:
    before = _now_mib()
    held = [Photograph(p.key, p.path, _LANDMARKS.copy()) for p in photographs(count)]
    return _now_mib() - before if held else 0.0


def _seconds(work) -> float:  # type: ignore[no-untyped-def]
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _now_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
