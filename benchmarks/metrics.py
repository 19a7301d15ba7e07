"""Speed of the metrics, each against a plain version and its public peer, in one run.

    python benchmarks/metrics.py --threads 2 --json benchmarks/results/metrics.json

Runs swd.py, ms_ssim.py, frechet.py and features.py of this folder, one after the other, each in a
process of its own, and judges their ratios. The exit code is 1 where one falls short, after the
result has been written. Features are compared with pytorch-fid's only where that is installed.
--only runs some of them, and keeps of the others what the file says.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

FOLDER = Path(__file__).parent
PARTS = ("swd", "ms_ssim", "frechet", "features")


@dataclass(frozen=True)
class Row:
    """One comparison; a ratio of None was not measured."""

    what: str
    peer: str
    ratio: float | None
    target: float

    @property
    def verdict(self) -> str:
        """What it comes to."""
        if self.ratio is None:
            return "not measured"
        return "reached" if self.ratio >= self.target else "NOT REACHED"


def main() -> None:
    """Measure, print a table and, if asked, write all of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    arguments = parser.parse_args()
    known = earlier(arguments.json)
    found = known | {
        part: run(f"{part}.py", "--threads", str(arguments.threads)) for part in arguments.only
    }
    rows = judge(found)
    print(f"{'':42}{'against':>24}{'times as fast':>15}{'target':>8}")
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.1f}"
        print(f"{row.what:42}{row.peer:>24}{ratio:>15}{row.target:8g}  {row.verdict}")
    if arguments.json:
        content = {
            "machine": f"{_processor()}, {os.cpu_count()} cores, Python "
            f"{platform.python_version()}, NumPy {np.__version__}, torch {torch.__version__}",
            "rows": [{**asdict(row), "verdict": row.verdict} for row in rows],
            **found,
        }
        arguments.json.write_text(json.dumps(content, indent=1) + "\n")
    if any(row.ratio is not None and row.ratio < row.target for row in rows):
        sys.exit("some targets were not reached")


def earlier(path: Path | None) -> dict[str, dict[str, Any]]:
    """Return what an earlier run found, by part."""
    if path is None or not path.exists():
        return {}
    content = json.loads(path.read_text())
    return {part: content[part] for part in PARTS if part in content}


def run(script: str, *options: str) -> dict[str, Any]:
    """Run one script of this folder; return what it found, and how busy the machine was before."""
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, str(FOLDER / script), *options, "--json", str(report)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return {"load_before": load_before, **json.loads(report.read_text())}


def judge(found: dict[str, dict[str, Any]]) -> list[Row]:
    """Put the ratios beside what they should be."""
    swd, ms_ssim, frechet, features = (found.get(part, {}) for part in PARTS)
    pairs = [value["ratio"] for value in frechet.values() if isinstance(value, dict)]
    full, few = pairs or (None, None)
    return [
        Row("SWD, 2,048 images of 128x128", "NumPy and SciPy", swd.get("times_as_fast"), 10),
        Row("MS-SSIM, 1,000 pairs of 128x128", "NumPy and SciPy", ms_ssim.get("ratio"), 8),
        Row("Frechet distance, 2,048 dimensions", "scipy.linalg.sqrtm", full, 5),
        Row("Frechet distance from 512 images", "scipy.linalg.sqrtm", few, 100),
        Row("Inception features", "pytorch-fid", features.get("times_as_fast"), 1),
    ]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    main()
