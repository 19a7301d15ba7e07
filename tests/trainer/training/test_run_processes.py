"""The command under torchrun: two processes on the CPU that train one run."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from child_processes import Children
from safetensors.torch import load_file
from tiny_trainings import QUIET, rows, tiny_settings, trained, words, write_reals

from reference_trainer.runs import RunFolder, newest_checkpoint, read_saved
from reference_trainer.training import resume_training

pytestmark = pytest.mark.slow

CHANGES = (
    "total_kimg=0.16", "stable_kimg=0.032", "fade_kimg=0.032", "tick_kimg=0.024",
    "checkpoint_kimg=0.04", "picture_kimg=0.08", "grid=2x1", "g_map_most=8", "d_map_most=8",
    "metrics_kimg=0.08", "metrics_images=8",
    # A statistic would be of a process's share, and a small epsilon would enlarge rounding errors.
    "minibatch_statistic=none", "epsilon=1", "learning_rate=0.05",
)  # fmt: skip


Torchrun = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def reals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reals(tmp_path_factory.mktemp("data") / "reals")


@pytest.fixture
def torchrun(children: Children) -> Torchrun:
    def torchrun(*arguments: object) -> subprocess.Popen[str]:
        program = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
        return children.start(
            [sys.executable, *program, "-m", "pgan_cli", "train", *map(str, arguments),
             "--device", "cpu", "--no-cache"],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    return torchrun


def test_two_processes_do_what_one_does(reals: Path, tmp_path: Path, torchrun: Torchrun) -> None:
    run = RunFolder(tmp_path / "two")
    process = torchrun(
        "--preset", "smoke", "--data", reals, "--out", run.path, *words(CHANGES)
    )  # fmt: skip
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said
    assert said.count("trained for 0.160 kimg") == 1
    alone = trained(tiny_settings(*CHANGES), reals, tmp_path / "one")
    names = [sorted(str(path.relative_to(folder.path)) for path in folder.path.rglob("*"))
             for folder in (run, alone)]  # fmt: skip
    assert names[0] == names[1]
    assert [row["kimg"] for row in rows(run.log)] == [row["kimg"] for row in rows(alone.log)]
    for row, expected in zip(rows(run.log), rows(alone.log), strict=True):
        assert row == pytest.approx(expected, rel=1e-4, abs=1e-5)
    ends = [newest_checkpoint(folder) for folder in (run, alone)]
    found, expected_end = (load_file(end) for end in ends)
    assert found.keys() == expected_end.keys()
    for name, value in found.items():
        torch.testing.assert_close(value, expected_end[name], rtol=1e-5, atol=1e-5)
    assert read_saved(ends[0]).state.world_size == 2


def test_they_stop_together_and_one_goes_on(
    reals: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], torchrun: Torchrun
) -> None:
    run = RunFolder(tmp_path / "run")
    process = torchrun(
        "--preset", "smoke", "--data", reals, "--out", run.path, *words(CHANGES),
        "--set", "total_kimg=40", "--set", "metrics_kimg=0", "--quiet",
    )  # fmt: skip
    deadline = time.monotonic() + 100
    while newest_checkpoint(run) is None:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=100)
    assert process.returncode != 0
    newest = newest_checkpoint(run)
    state = read_saved(newest).state
    assert state.steps % 10 == 0
    assert f"stopped at kimg {state.kimg:.3f} and saved" in said
    assert "another process has ended" not in said
    total = f"total_kimg={state.kimg + 0.08}"
    resume_training(run.path, changes=[total, "checkpoint_kimg=40"], options=loud())
    assert "processes were 2 and are 1 from here on" in capsys.readouterr().err
    longer = torchrun("--resume", run.path, "--set", f"total_kimg={state.kimg + 0.16}")
    said, _ = longer.communicate(timeout=200)
    assert longer.returncode == 0, said
    assert said.count("processes were 1 and are 2 from here on") == 1
    end = read_saved(newest_checkpoint(run)).state
    assert (end.steps, end.world_size) == (state.steps + 20, 2)


def test_two_stop_at_a_loss_that_is_no_number(
    reals: Path, tmp_path: Path, torchrun: Torchrun
) -> None:
    run = RunFolder(tmp_path / "run")
    process = torchrun(
        "--preset", "smoke", "--data", reals, "--out", run.path, *words(CHANGES),
        "--set", "epsilon=1e-8", "--set", "learning_rate=1e9", "--quiet",
    )  # fmt: skip
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 1
    assert "exitcode  : 3" in said
    assert f"are in {newest_checkpoint(run)}." in said
    assert "another process has ended" not in said


def loud():
    from dataclasses import replace

    return replace(QUIET, mode="auto")


DAMAGED = """\
import os, sys
from pathlib import Path
from pgan_cli.main import main
from pgan_toolkit.errors import DataError
from reference_trainer.reals import RealImages, real_images
real_images.cacheable_resolutions = lambda _: ()
fill = RealImages.fill
def damaged(self, images, *, first_position):
    if os.environ["RANK"] == "{rank}" and first_position >= 8 * {step}:
        raise DataError("some.png: the picture is damaged")
    fill(self, images, first_position=first_position)
RealImages.fill = damaged
sys.argv[0] = "pgan-toolkit"
main()
"""


@pytest.mark.parametrize(("rank", "step"), [(1, 13), (0, 17)])
def test_a_picture_that_one_of_them_cannot_read_leaves_a_saved_run(
    rank: int, step: int, reals: Path, tmp_path: Path, children: Children
) -> None:
    """Step 13 is heard of at the 20th; step 17 too, at the end of the run."""
    run = RunFolder(tmp_path / "run")
    code = DAMAGED.format(rank=rank, step=step)
    words_of_run = ["train", "--preset", "smoke", "--data", str(reals), "--out", str(run.path),
                    "--device", "cpu", "--quiet", *words([*CHANGES, "metrics_kimg=0"])]  # fmt: skip
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
                           "OMP_NUM_THREADS": "1"}  # fmt: skip
    processes = [
        children.start(
            [sys.executable, "-c", code, *words_of_run],
            env=shared | {"RANK": str(own), "LOCAL_RANK": str(own)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for own in (0, 1)
    ]  # fmt: skip
    said = [process.communicate(timeout=200)[0] for process in processes]
    assert [process.returncode for process in processes] == [3, 3], said
    assert "some.png: the picture is damaged. The run is saved up to there" in said[rank]
    assert "another process could not read a picture" in said[1 - rank]
    newest = newest_checkpoint(run)
    assert read_saved(newest).state.steps == step
    resume_training(run.path, options=QUIET)
    whole = trained(tiny_settings(*CHANGES, "metrics_kimg=0"), reals, tmp_path / "whole")
    found, expected = (load_file(newest_checkpoint(folder)) for folder in (run, whole))
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-5)
