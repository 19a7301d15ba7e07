"""A run wherever a set of pictures is taken: the metrics' commands, and those of data."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import run_main
from picture_sets import pictures, write_set
from tiny_run import tiny_run

from pgan_toolkit.storage import open_source


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("runs") / "a").path


def test_swd_of_a_run(run: Path, tmp_path: Path) -> None:
    real, report = write_set(tmp_path / "real", pictures(0, 60, size=16)), tmp_path / "swd.json"
    words = ["swd", real, run, "--images", 40, "--repeats", 1, "--no-cache", "--quiet"]
    done = run_main(*words, "--json", report)
    assert done.code == 0, done.err
    first = json.loads(report.read_text())
    report.unlink()
    assert run_main(*words, "--json", report).code == 0
    assert json.loads(report.read_text())["results"] == first["results"]
    assert str(run) in json.dumps(first)


def test_what_is_measured_can_be_written(run: Path, tmp_path: Path) -> None:
    """Written out, the very pictures that the command takes of a run are the same, bit for bit."""
    from pgan_toolkit.evaluation import ImageStream, StreamSettings

    chosen = ImageStream(run, StreamSettings(images=12, mode="quiet"))
    seeds = ",".join(map(str, chosen.indices))
    assert run_main("generate", run, "--seeds", seeds, "--out", tmp_path / "fake").code == 0
    written = ImageStream(tmp_path / "fake", StreamSettings(mode="quiet"))
    for made, read in zip(chosen.batches(), written.batches(), strict=True):
        assert np.array_equal(made.images, read.images)


def test_inspect_says_what_it_is(run: Path) -> None:
    done = run_main("data", "inspect", run)
    assert done.code == 0, done.err
    assert "training run" in done.out
    assert "50,000" in done.out
    assert "16x16" in done.out


def test_a_training_run_is_no_folder_of_its_grids(run: Path) -> None:
    assert open_source(run).format == "training run"
    assert open_source(run / "fakes").format == "folder"
