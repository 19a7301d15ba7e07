"""A run that was stopped, however, ends as one that was not: bit for bit on the CPU."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_trainings import (
    QUIET,
    Crash,
    at_step,
    newest_bytes,
    require_same_end,
    rows,
    tiny_settings,
    trained,
    write_reals,
)

from pgan_toolkit.errors import Interrupted
from reference_trainer.configuration import RunSettings
from reference_trainer.runs import RunFolder, newest_checkpoint, read_saved
from reference_trainer.sampling import open_sampler
from reference_trainer.training import begin_training, resume_training

RUNS: dict[str, RunSettings] = {
    "wgan-gp": tiny_settings("metrics_kimg=0.12", "metrics_images=8"),
    "lsgan": tiny_settings("loss=lsgan", "drift=0", "noise=1", "learning_rate=0.2"),
    "labels": tiny_settings(preset="smoke-conditional"),
    "five-steps": tiny_settings(
        "discriminator_steps=5", "total_kimg=0.8", "stable_kimg=0.16", "fade_kimg=0.16",
        "checkpoint_kimg=0.2",
    ),
    "joint": tiny_settings("joint_update=true", "microbatch_size=4"),
    "batch-norm": tiny_settings("g_normalization=batch", "growing=false"),
    "discrimination": tiny_settings("minibatch_statistic=discrimination", "rampup_kimg=0.1"),
}  # fmt: skip
SOME = ["wgan-gp", "lsgan"]
"""The others are slow tests."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    write_reals(folder / "reals", labelled=True)
    return folder


def whole(name: str, place: Path) -> RunFolder:
    """The run that nothing stopped; made once."""
    folder = RunFolder(place / name)
    if newest_checkpoint(folder) is None:
        trained(RUNS[name], place / "reals", folder.path)
    return folder


def require_same_weights(found: RunFolder, expected: RunFolder) -> None:
    """See that all tensors of the last checkpoints are the same."""
    tensors = [load_file(newest_checkpoint(folder)) for folder in (found, expected)]
    assert tensors[0].keys() == tensors[1].keys()
    assert all(tensors[0][name].equal(tensors[1][name]) for name in tensors[1])


@pytest.mark.parametrize(
    "name", [name if name in SOME else pytest.param(name, marks=pytest.mark.slow) for name in RUNS]
)
def test_after_a_crash_amid_a_fade_all_is_the_same(name: str, place: Path, tmp_path: Path) -> None:
    with at_step(7, Crash()), pytest.raises(Crash):
        trained(RUNS[name], place / "reals", tmp_path / "run")
    resumed = resume_training(tmp_path / "run", options=QUIET)
    require_same_end(resumed, whole(name, place))


@pytest.mark.parametrize("name", ["wgan-gp", pytest.param("labels", marks=pytest.mark.slow)])
def test_on_a_gpu_it_goes_on_and_is_drawn_from(
    name: str, place: Path, tmp_path: Path, cuda: torch.device
) -> None:
    options = replace(QUIET, device=cuda.type)
    with at_step(7, Crash()), pytest.raises(Crash):
        begin_training(RUNS[name], data=place / "reals", out=tmp_path / "run", options=options)
    run = resume_training(tmp_path / "run", options=options)
    assert newest_checkpoint(run).name == newest_checkpoint(whole(name, place)).name
    assert rows(run.log)[-1].keys() == rows(whole(name, place).log)[-1].keys()
    drawn = [open_sampler(run.path, device=device).of_seeds(range(3)) for device in ("cuda", "cpu")]
    assert (drawn[0].int() - drawn[1].int()).abs().max() <= 1


def test_the_noise_of_the_lsgan_was_on(place: Path) -> None:
    newest = newest_checkpoint(whole("lsgan", place))
    assert read_saved(newest).state.step_state["noise_average"] > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("step", [5, 10, 13, 16, 19])
def test_wherever_it_crashed(step: int, place: Path, tmp_path: Path) -> None:
    with at_step(step, Crash()), pytest.raises(Crash):
        trained(RUNS["wgan-gp"], place / "reals", tmp_path / "run")
    resumed = resume_training(tmp_path / "run", options=QUIET)
    require_same_end(resumed, whole("wgan-gp", place))


@pytest.mark.slow
def test_crash_upon_crash(place: Path, tmp_path: Path) -> None:
    with at_step(5, Crash()), pytest.raises(Crash):
        trained(RUNS["wgan-gp"], place / "reals", tmp_path / "run")
    for step in (7, 8, 19):
        with at_step(step, Crash()), pytest.raises(Crash):
            resume_training(tmp_path / "run", options=QUIET)
    resumed = resume_training(tmp_path / "run", options=QUIET)
    require_same_end(resumed, whole("wgan-gp", place))


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_signal_saves_after_the_step(number: signal.Signals, place: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with (
        at_step(6, lambda: os.kill(os.getpid(), number)),
        pytest.raises(Interrupted, match=r"stopped at kimg 0\.056 and saved.*--resume"),
    ):
        trained(RUNS["wgan-gp"], place / "reals", run.path)
    assert newest_checkpoint(run) == run.checkpoint(0.056)
    resumed = resume_training(run.path, options=QUIET)
    assert newest_bytes(resumed) == newest_bytes(whole("wgan-gp", place))


def test_a_measurement_that_a_signal_stopped_is_made_on_the_resume(
    place: Path, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    with (
        at_step(19, lambda: os.kill(os.getpid(), signal.SIGTERM)),
        pytest.raises(
            Interrupted, match=r"0\.160 and saved, with its measurement still to be made"
        ),
    ):
        trained(RUNS["wgan-gp"], place / "reals", run.path)
    assert [row["kimg"] for row in rows(run.metrics)] == [0.12]
    assert read_saved(newest_checkpoint(run)).state.measurement_due
    require_same_weights(run, whole("wgan-gp", place))
    resume_training(run.path, options=QUIET)
    require_same_end(run, whole("wgan-gp", place))


@pytest.mark.slow
def test_an_older_checkpoint_leads_to_the_same_end(place: Path, tmp_path: Path) -> None:
    run = trained(RUNS["wgan-gp"], place / "reals", tmp_path / "run")
    oldest = min(run.checkpoints_folder.glob("*.safetensors"))
    assert oldest != newest_checkpoint(run)
    resumed = resume_training(run.path, checkpoint=oldest, options=QUIET)
    require_same_end(resumed, whole("wgan-gp", place))


@pytest.mark.slow
def test_a_finished_run_goes_on_where_it_is_made_longer(place: Path, tmp_path: Path) -> None:
    run = trained(RUNS["labels"], place / "reals", tmp_path / "run")
    before = newest_bytes(run), rows(run.log)
    resume_training(run.path, options=QUIET)
    assert (newest_bytes(run), rows(run.log)) == before
    resume_training(run.path, changes=["total_kimg=0.2"], options=QUIET)
    longer = trained(
        tiny_settings("total_kimg=0.2", preset="smoke-conditional"),
        place / "reals",
        tmp_path / "longer",
    )
    require_same_weights(run, longer)


def test_a_return_to_an_older_checkpoint_that_is_killed_at_once_stays_one(
    place: Path, tmp_path: Path
) -> None:
    run = trained(tiny_settings("keep_checkpoints=9"), place / "reals", tmp_path / "run")
    older = run.checkpoint(0.04)
    with at_step(5, Crash()), pytest.raises(Crash):
        resume_training(run.path, checkpoint=older, options=QUIET)
    assert newest_checkpoint(run) == older
    assert [row["kimg"] for row in rows(run.log)] == [0.024, 0.04]
    grids = [[path.name for path in folder.glob("*.png")]
             for folder in (run.fakes_folder, run.fakes_left_behind)]  # fmt: skip
    assert run.fakes(0.04).name in grids[0]
    assert run.fakes(0.16).name in grids[1]
    assert max(grids[0]) < older.name < min(grids[1])
    ahead = run.left_behind / run.checkpoint(0.16).name
    with at_step(20, Crash()):  # nothing is left to do: 0.16 is the end
        resume_training(run.path, checkpoint=ahead, options=QUIET)
    assert newest_checkpoint(run) == run.checkpoint(0.16)
    assert newest_bytes(run) == ahead.read_bytes()
