"""The example for researchers, run as it stands on a tiny run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from html_checks import check_page
from picture_sets import pictures, write_set
from tiny_run import tiny_run

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_snapshots_of_a_run_are_measured_compared_drawn_and_shown(tmp_path: Path) -> None:
    reals = write_set(tmp_path / "real", pictures(0, 48, size=16))
    run = tiny_run(tmp_path / "run", kimgs=(1, 4, 9)).path
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "snapshots_of_a_run.py", reals, run, out, "48"],
        env=os.environ | {"PGAN_TOOLKIT_CACHE": str(tmp_path / "cache")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.endswith(" kimg")] == ["4 kimg", "9 kimg"]
    assert sum(line.startswith(("  swd.avg ", "  swd.16 ")) for line in lines) == 4
    assert (out / "swd.png").read_bytes().startswith(b"\x89PNG")
    text = check_page((out / "last.html").read_bytes()).text
    assert "swd.avg over time" in text
    assert sorted(path.name for path in out.glob("*.json")) == ["1.json", "4.json", "9.json"]
