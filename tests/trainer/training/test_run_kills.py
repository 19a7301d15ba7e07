"""Real processes that are killed, stopped, and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from child_processes import Children
from tiny_trainings import (
    CHANGES,
    QUIET,
    newest_bytes,
    require_same_end,
    tiny_settings,
    trained,
    words,
    write_reals,
)

from reference_trainer.runs import RunFolder, newest_checkpoint, read_saved
from reference_trainer.training import resume_training

Start = Callable[..., "subprocess.Popen[str]"]

RUNS = {
    "wgan-gp": ("smoke", ["metrics_kimg=0.12", "metrics_images=8"]),
    "lsgan": ("smoke", ["loss=lsgan", "drift=0", "noise=1", "learning_rate=0.2"]),
    "labels": ("smoke-conditional", []),
    "five-steps": (
        "smoke",
        ["discriminator_steps=5", "total_kimg=0.8", "stable_kimg=0.16", "fade_kimg=0.16",
         "checkpoint_kimg=0.2"],
    ),
}  # fmt: skip

KILLED = """\
import os, signal, sys
from pgan_cli.main import main
{patch}
sys.argv[0] = "pgan-toolkit"
main()
"""
AT_STEP = """\
from reference_trainer.training.step import TrainingStep as T
run = T.run
def killed(self, phase, *, step, reals):
    if step == {number}: os.kill(os.getpid(), signal.SIGKILL)
    return run(self, phase, step=step, reals=reals)
T.run = killed
"""
AMID_A_STEP = """\
from reference_trainer.training import step
update, count = step.update, 0
def killed(*args, **kwargs):
    global count
    count += 1
    if count == {number}: os.kill(os.getpid(), signal.SIGKILL)
    update(*args, **kwargs)
step.update = killed
"""
AMID_A_CHECKPOINT = """\
from pgan_toolkit.runs import tensor_file
bytes_of, count = tensor_file._bytes_of, 0
def killed(tensor):
    global count
    count += 1
    if count == {number}: os.kill(os.getpid(), signal.SIGKILL)
    return bytes_of(tensor)
tensor_file._bytes_of = killed
"""
BEFORE_A_CHECKPOINT = """\
from reference_trainer.runs import Checkpoints as C
save = C.save
def killed(self, parts, state):
    if state.steps == {number}: os.kill(os.getpid(), signal.SIGKILL)
    return save(self, parts, state)
C.save = killed
"""
AFTER_A_CHECKPOINT = BEFORE_A_CHECKPOINT.replace(
    "    if state", "    save(self, parts, state)\n    if state"
).replace("    return save(self, parts, state)\n", "")


def environment() -> dict[str, str]:
    """As many threads as here: sums are then taken in the same order."""
    return os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}


def command(name: str, place: Path, out: Path) -> list[str]:
    preset, changes = RUNS[name]
    return [
        "train", "--preset", preset, "--data", str(place / "reals"), "--out", str(out),
        "--device", "cpu", "--no-cache", "--workers", "1", "--quiet",
        *words([*CHANGES, *changes]),
    ]  # fmt: skip


def resume(out: Path) -> list[str]:
    return ["train", "--resume", str(out), "--device", "cpu", "--no-cache", "--quiet"]


@pytest.fixture
def start(children: Children) -> Start:
    def start(arguments: list[str], *, patch: str = "") -> subprocess.Popen[str]:
        program = ["-c", KILLED.format(patch=patch)] if patch else ["-m", "pgan_cli"]
        return children.start(
            [sys.executable, *program, *arguments], env=environment(),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    return start


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err
    return process.returncode, out + err


def wait_for_checkpoint(run: RunFolder, process: subprocess.Popen[str]) -> None:
    before = newest_checkpoint(run)
    deadline = time.monotonic() + 150
    while newest_checkpoint(run) == before and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    write_reals(folder / "reals", labelled=True)
    return folder


def whole(name: str, place: Path) -> RunFolder:
    folder = RunFolder(place / name)
    if newest_checkpoint(folder) is None:
        preset, changes = RUNS[name]
        trained(tiny_settings(*changes, preset=preset), place / "reals", folder.path)
    return folder


@pytest.mark.slow
def test_a_kill_amid_a_fade_changes_nothing(place: Path, tmp_path: Path, start: Start) -> None:
    """The first process is killed in its 7th step; the second is this one."""
    process = start(command("wgan-gp", place, tmp_path / "run"), patch=AT_STEP.format(number=6))
    assert end(process) == (-signal.SIGKILL, "")
    resumed = resume_training(tmp_path / "run", options=QUIET)
    require_same_end(resumed, whole("wgan-gp", place))


MOMENTS = {
    "amid D's update in a fade": ("wgan-gp", AMID_A_STEP.format(number=13)),
    "between D's update and G's": ("labels", AMID_A_STEP.format(number=16)),
    "amid five updates": ("five-steps", AMID_A_STEP.format(number=45)),
    "with noise": ("lsgan", AT_STEP.format(number=17)),
    "amid the second checkpoint": ("wgan-gp", AMID_A_CHECKPOINT.format(number=200)),
    "measured and not saved": ("wgan-gp", BEFORE_A_CHECKPOINT.format(number=15)),
    "saved and no more": ("five-steps", AFTER_A_CHECKPOINT.format(number=10)),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_and_resumed(
    moment: str, place: Path, tmp_path: Path, start: Start
) -> None:
    name, patch = MOMENTS[moment]
    assert end(start(command(name, place, tmp_path / "run"), patch=patch))[0] == -signal.SIGKILL
    assert end(start(resume(tmp_path / "run"))) == (0, "")
    require_same_end(RunFolder(tmp_path / "run"), whole(name, place))


@pytest.mark.slow
def test_killed_again_and_again_by_the_clock(place: Path, tmp_path: Path, start: Start) -> None:
    process = start(command("five-steps", place, tmp_path / "run"))
    for pause_s in (0.3, 0.6, 0.9):
        wait_for_checkpoint(RunFolder(tmp_path / "run"), process)
        time.sleep(pause_s)
        process.kill()
        assert end(process)[0] in (-signal.SIGKILL, 0)
        process = start(resume(tmp_path / "run"))
    assert end(process) == (0, "")
    require_same_end(RunFolder(tmp_path / "run"), whole("five-steps", place))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_exits_with_130(
    number: signal.Signals, place: Path, tmp_path: Path, start: Start
) -> None:
    run = RunFolder(tmp_path / "run")
    process = start(command("five-steps", place, run.path))
    wait_for_checkpoint(run, process)
    process.send_signal(number)
    code, said = end(process)
    assert code == 130
    newest = newest_checkpoint(run)
    kimg = float(newest.name.removeprefix("kimg-").removesuffix(".safetensors"))
    assert said == (
        f"error: stopped at kimg {kimg:.3f} and saved; go on with `pgan-toolkit train --resume "
        f"{run.path}`\n"
    )
    assert end(start(resume(run.path))) == (0, "")
    assert newest_bytes(run) == newest_bytes(whole("five-steps", place))


@pytest.mark.slow
def test_a_second_run_in_the_folder_is_refused(place: Path, tmp_path: Path, start: Start) -> None:
    run = RunFolder(tmp_path / "run")
    process = start(command("five-steps", place, run.path))
    wait_for_checkpoint(run, process)
    process.send_signal(signal.SIGSTOP)
    try:
        code, said = end(start(resume(run.path)))
        assert (code, f"(process {process.pid}) is at work here" in said) == (4, True)
    finally:
        process.send_signal(signal.SIGCONT)
    assert end(process) == (0, "")


def test_a_signal_while_it_measures_is_heard(place: Path, tmp_path: Path) -> None:
    """A measurement of 50,000 pictures is given up, and the state is saved without it."""
    from pgan_toolkit.errors import Interrupted
    from reference_trainer.training import measurements

    calls = []
    choose = measurements.choose_images

    def choosing(*args, **kwargs):
        calls.append(1)
        os.kill(os.getpid(), signal.SIGTERM)
        return choose(*args, **kwargs)

    settings = tiny_settings("metrics_kimg=0.04", "metrics_images=50000", "metrics=['ms-ssim']")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurements, "choose_images", choosing)
        with pytest.raises(Interrupted, match=r"0\.040"):
            trained(settings, place / "reals", tmp_path / "run")
    assert calls == [1]
    run = RunFolder(tmp_path / "run")
    assert newest_checkpoint(run) == run.checkpoint(0.040)
    assert run.metrics.read_text() == ""
    assert read_saved(run.checkpoint(0.040)).state.measurement_due
