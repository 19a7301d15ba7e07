"""Memory that is full: told with the setting that needs less, and a state to go on from."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from tiny_trainings import QUIET, rows, tiny_settings, trained, write_reals

from pgan_toolkit.errors import SetupError
from reference_trainer.configuration import change_settings, load_preset
from reference_trainer.division import check_divisions
from reference_trainer.runs import RunFolder, newest_checkpoint
from reference_trainer.schedule import phase_at
from reference_trainer.training import World, memory, precision, resume_training
from reference_trainer.training import start as start_module
from reference_trainer.training.step import TrainingStep

SHORT = tiny_settings("total_kimg=0.08", "checkpoint_kimg=0.024")


@pytest.fixture(scope="module")
def reals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reals(tmp_path_factory.mktemp("data") / "reals")


@contextmanager
def memory_of(microbatch: int, *, resolution: int) -> Iterator[None]:
    """As a GPU on which so many pictures and no more of a resolution have room."""
    run = TrainingStep.run

    def limited(self, phase, *, step, reals):
        most = self._settings.optimization.microbatch_size or phase.minibatch_size
        if phase.resolution >= resolution and most > microbatch:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return run(self, phase, step=step, reals=reals)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingStep, "run", limited)
        yield


def test_no_memory_for_a_new_resolution(reals: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with memory_of(4, resolution=8):
        with pytest.raises(SetupError) as caught:
            trained(SHORT, reals, run.path)
        newest = newest_checkpoint(run)
        assert newest == run.checkpoint(0.04)  # the last step at 4x4
        assert str(caught.value) == (
            f"cpu: out of memory at 8x8 with 8 pictures at once; the run is saved in {newest}: go "
            f"on with `pgan-toolkit train --resume {run.path} --set microbatch_size=4`, or do so "
            "on a GPU with more memory"
        )
        resume_training(run.path, changes=["microbatch_size=4"], options=QUIET)
    assert newest_checkpoint(run) == run.checkpoint(0.08)


def test_no_memory_for_the_first_step_or_a_single_picture(reals: Path, tmp_path: Path) -> None:
    alone = ("minibatch_statistic=none", "precision=bfloat16", "minibatch_size=1")
    with memory_of(0, resolution=4), pytest.MonkeyPatch.context() as patch:
        patch.setattr(precision, "has_bfloat16", lambda _: True)
        for changes, remedy in ((alone[:1], " with --set microbatch_size=4,"), (alone, ",")):
            settings = tiny_settings(*changes)
            said = f"nothing is saved yet: begin anew{remedy} or do so on a GPU with more memory"
            with pytest.raises(SetupError, match=said):
                trained(settings, reals, tmp_path / f"run{len(changes)}")


@pytest.mark.parametrize(
    ("kimg", "changes", "change"),
    [
        (100, (), "microbatch_size=8"),
        (9_700, (), "microbatch_size=7"),
        (11_300, (), "microbatch_size=3"),
        (12_900, (), "precision=bfloat16"),  # of 3 pictures, 2 at once, one would be alone
        (12_900, ("precision=bfloat16",), "minibatch_sizes.1024=2"),
        (12_900, ("minibatch_statistic=none",), "microbatch_size=1"),
        (11_300, ("microbatch_size=3",), "precision=bfloat16"),  # 2 leave one alone at 1024x1024
    ],
)
def test_the_remedy_leaves_no_picture_alone(
    kimg: int, changes: tuple[str, ...], change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "has_bfloat16", lambda _: True)
    settings = load_preset("celebahq-1024", changes=changes)
    assert memory.less_memory(phase_at(1000 * kimg, settings), settings, world=World()) == change
    changed = change_settings(settings, [change])
    check_divisions(changed, world_size=1)


def test_a_run_goes_on_with_smaller_minibatches(reals: Path, tmp_path: Path) -> None:
    run = trained(tiny_settings("total_kimg=0.04"), reals, tmp_path / "run")
    resume_training(run.path, changes=["minibatch_sizes.8=2", "total_kimg=0.08"], options=QUIET)
    assert [row["minibatch_size"] for row in rows(run.log)][-1] == 2


@pytest.mark.parametrize(
    "said",
    [
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "GET was unable to find an engine to execute this computation",
        "CUDA error: out of memory",
        "[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory",
    ],
)
def test_all_that_is_said_of_full_memory_is_known(said: str) -> None:
    settings = tiny_settings()
    with (
        pytest.raises(
            SetupError, match="out of memory at 4x4 with 8 pictures at once; retry --set"
        ),
        memory.enough_memory(
            phase_at(0, settings), settings, world=World(), remedy=lambda change: f"retry{change}"
        ),
    ):
        raise RuntimeError(said)


def test_networks_without_room_are_told(reals: Path, tmp_path: Path) -> None:
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: no memory")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(start_module, "build_networks", full)
        with pytest.raises(SetupError, match=r"no memory for the networks alone.*latent_size"):
            trained(SHORT, reals, tmp_path / "run")
