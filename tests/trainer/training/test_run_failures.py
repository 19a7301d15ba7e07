"""What can go wrong amid a run: each is told with its remedy, and leaves a state to go on from."""

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from tiny_trainings import (
    QUIET,
    Crash,
    at_step,
    newest_bytes,
    rows,
    tiny_settings,
    trained,
    write_reals,
)

from pgan_toolkit.errors import DataError, SetupError, UsageError
from reference_trainer.division import check_divisions
from reference_trainer.reals import real_images
from reference_trainer.runs import RunFolder, newest_checkpoint, read_saved
from reference_trainer.runs import checkpoints as checkpoint_module
from reference_trainer.sampling import open_sampler
from reference_trainer.training import resume_training
from reference_trainer.training import start as start_module
from reference_trainer.training.step import TrainingStep


@pytest.fixture(scope="module")
def reals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reals(tmp_path_factory.mktemp("data") / "reals")


@pytest.fixture(scope="module")
def done(reals: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A short run. Not to be changed."""
    return trained(SHORT, reals, tmp_path_factory.mktemp("done") / "run")


SHORT = tiny_settings("total_kimg=0.08", "checkpoint_kimg=0.024")


def test_a_run_ends_just_before_a_phase_that_it_could_not_divide(
    reals: Path, tmp_path: Path
) -> None:
    """Minibatches are read ahead, though not beyond the end."""
    settings = tiny_settings("total_kimg=0.096", "minibatch_sizes.16=1")
    check_divisions(settings, world_size=1)
    run = trained(settings, reals, tmp_path / "run")
    assert newest_checkpoint(run) == run.checkpoint(0.096)


def test_a_loss_that_is_no_number_stops_the_run(reals: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    settings = tiny_settings("learning_rate=1e9", "epsilon=1e-8")
    with pytest.raises(DataError) as caught:
        trained(settings, reals, run.path)
    newest = newest_checkpoint(run)
    message = str(caught.value)
    assert f"kimg {read_saved(newest).state.kimg:.3f} (4x4)" in message
    assert "not finite (d_loss " in message
    assert str(newest) in message
    assert newest.name < run.checkpoint(0.024).name  # where it was noticed
    assert "--set precision=float32" in message
    with safe_open(newest, "pt") as file:
        assert all(file.get_tensor(name).isfinite().all() for name in file.keys())  # noqa: SIM118
    assert open_sampler(run.path, device="cpu").of_seed(0).shape == (1, 3, 16, 16)


@pytest.mark.slow
def test_poisoned_weights_are_told_and_the_run_goes_on_from_before(
    reals: Path, tmp_path: Path
) -> None:
    """As a GPU that computes wrongly: in the step before all was well."""
    run = RunFolder(tmp_path / "run")
    whole = trained(SHORT, reals, tmp_path / "whole")
    poisoned = TrainingStep._apply

    def poison(self, adam, phase, values):
        for group in adam.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.grad.mul_(torch.nan)
        return poisoned(self, adam, phase, values)

    with pytest.MonkeyPatch.context() as patch:  # noqa: SIM117
        with at_step(7, lambda: patch.setattr(TrainingStep, "_apply", poison)):
            with pytest.raises(DataError, match=r"kimg 0\.056 \(8x8\).*not finite"):
                trained(SHORT, reals, run.path)
    before = run.checkpoint(0.048)
    assert before.is_file()
    resume_training(run.path, checkpoint=before, options=QUIET)
    assert newest_bytes(run) == newest_bytes(whole)


@pytest.mark.slow
def test_a_run_that_fails_again_and_again_loses_no_checkpoint(reals: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    poisoned = TrainingStep._apply

    def poison(self, adam, phase, values):
        return poisoned(
            self, adam, phase, {name: value * torch.nan for name, value in values.items()}
        )

    def found() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in run.checkpoints_folder.iterdir()}

    before: dict[str, bytes] = {}
    settings = tiny_settings(
        "total_kimg=0.112", "checkpoint_kimg=0.024", "tick_kimg=1", "keep_checkpoints=2"
    )
    with pytest.MonkeyPatch.context() as patch:
        with (
            at_step(7, lambda: patch.setattr(TrainingStep, "_apply", poison)),
            pytest.raises(DataError, match=r"kimg 0\.056 \(8x8\): in the step from there"),
        ):
            trained(settings, reals, run.path)
        before = found()
        assert [*sorted(before)] == [run.checkpoint(kimg).name for kimg in (0.04, 0.048, 0.056)]
        for _ in range(3):
            with pytest.raises(DataError, match=r"kimg 0\.056 .*are in .*0\.056\.safetensors"):
                resume_training(run.path, options=QUIET)
            assert found() == before
    resume_training(run.path, options=QUIET)
    whole = trained(settings, reals, tmp_path / "whole")
    assert newest_bytes(run) == newest_bytes(whole)


@contextmanager
def files_of_at_most(count: int) -> Iterator[None]:
    """As a full disk: no file of this process may be larger."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.slow
def test_a_full_disk_leaves_the_last_checkpoint(reals: Path, tmp_path: Path) -> None:
    run, whole = RunFolder(tmp_path / "run"), trained(SHORT, reals, tmp_path / "whole")
    save = checkpoint_module.Checkpoints.save

    def filling(self, parts, state):
        with files_of_at_most(20_000 if state.kimg > 0.05 else 1 << 30):
            return save(self, parts, state)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint_module.Checkpoints, "save", filling)
        with pytest.raises(SetupError, match=r"0\.072.*could not be written.*make room.*--resume"):
            trained(SHORT, reals, run.path)
    assert newest_checkpoint(run) == run.checkpoint(0.048)
    assert not list(run.checkpoints_folder.glob("*.partial"))
    resume_training(run.path, options=QUIET)
    assert newest_bytes(run) == newest_bytes(whole)


def test_a_full_disk_for_the_log_says_how_to_go_on(
    reals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "log.jsonl")

    monkeypatch.setattr(start_module, "train_to_end", full)
    with pytest.raises(SetupError, match=r"log\.jsonl: no space left.*train --resume .*run`"):
        trained(SHORT, reals, tmp_path / "run")


@pytest.mark.slow
def test_a_picture_that_is_damaged_amid_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of pictures that are too large for the cache: decoded whenever they are shown."""
    monkeypatch.setattr(real_images, "cacheable_resolutions", lambda _: ())
    settings = tiny_settings()  # as long as that some reals are not read ahead from the beginning
    data, run = write_reals(tmp_path / "reals"), RunFolder(tmp_path / "run")
    whole = trained(settings, data, tmp_path / "whole")
    picture = sorted(data.glob("**/*.png"))[3]
    intact = picture.read_bytes()
    with (
        at_step(1, lambda: picture.write_bytes(intact[:60] + bytes(len(intact) - 60))),
        pytest.raises(DataError) as caught,
    ):
        trained(settings, data, run.path)
    assert newest_checkpoint(run) is not None
    assert str(picture) in str(caught.value)
    assert "The run is saved up to there" in str(caught.value)
    picture.write_bytes(intact)
    resume_training(run.path, options=QUIET)
    assert newest_bytes(run) == newest_bytes(whole)


def test_a_run_without_a_checkpoint_cannot_go_on(reals: Path, tmp_path: Path) -> None:
    with at_step(1, Crash()), pytest.raises(Crash):
        trained(SHORT, reals, tmp_path / "run")
    with pytest.raises(DataError, match=r"run: has no checkpoint.*begin anew"):
        resume_training(tmp_path / "run", options=QUIET)


def test_only_the_same_pictures_continue_a_run(done: RunFolder, tmp_path: Path) -> None:
    other = write_reals(tmp_path / "other", 21)
    with pytest.raises(DataError, match=r"20 pictures.*which .*other \(21 pictures"):
        resume_training(done.path, data=other, options=QUIET)
    with pytest.raises(DataError, match=r"nowhere: the run's pictures are not there.*--data"):
        resume_training(done.path, data=tmp_path / "nowhere", options=QUIET)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("learning_rate=0.1", r"optimization\.learning_rate: 0\.001, now 0\.1"),
        ("minibatch_size=4", r"schedule\.minibatch_size: 8, now 4"),
        ("seed=5", "seed: 0, now 5"),
    ],
)
def test_a_run_keeps_its_settings(change: str, named: str, done: RunFolder) -> None:
    with pytest.raises(DataError, match=named):
        resume_training(done.path, changes=[change], options=QUIET)


@pytest.mark.slow
def test_foreign_checkpoints_are_refused(done: RunFolder, reals: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "other.safetensors"
    foreign.write_bytes(b"no checkpoint at all")
    with pytest.raises(DataError, match=r"other\.safetensors.*--checkpoint .*kimg"):
        resume_training(done.path, checkpoint=foreign, options=QUIET)
    settings = tiny_settings("total_kimg=0.08", "latent_size=8")
    other = newest_checkpoint(trained(settings, reals, tmp_path / "other"))
    with pytest.raises(DataError, match=r"other settings \(generator\.latent_size: 8, now 16"):
        resume_training(done.path, checkpoint=other, options=QUIET)


def test_a_truncated_checkpoint_is_refused_and_the_one_before_named(
    reals: Path, tmp_path: Path
) -> None:
    run = trained(SHORT, reals, tmp_path / "run")
    newest, expected = newest_checkpoint(run), newest_bytes(run)
    newest.write_bytes(expected[:-100])
    with pytest.raises(DataError, match=r"0\.080\.safetensors.*--checkpoint .*kimg.*0\.072"):
        resume_training(run.path, options=QUIET)
    resume_training(run.path, checkpoint=run.checkpoint(0.072), options=QUIET)
    assert newest_bytes(run) == expected


def test_two_cannot_work_in_one_folder(done: RunFolder, reals: Path) -> None:
    with done.held():
        with pytest.raises(SetupError, match=r"another training \(process [0-9]+\) is at work"):
            resume_training(done.path, options=QUIET)
        with pytest.raises(UsageError, match="holds a run; go on with it"):
            trained(SHORT, reals, done.path)


REFUSED = {
    "metrics_kimg=1 resolution=8": (UsageError, "swd takes pictures of 16 pixels or more, not 8"),
    "metrics_kimg=1 metrics=['modes']": (UsageError, "modes are of stacked digits, 28 or 32"),
    "grid=200x200": (UsageError, "40,000 pictures; expected 10,000 at most"),
    "minibatch_size=64": (DataError, "20 pictures, fewer than a minibatch of 64"),
    "resolution=32": (DataError, "16x16 pixels, smaller than resolution=32"),
    "conditional=true": (DataError, "has no label, and the preset learns labels"),
    "precision=tf32": (SetupError, "precision=tf32: cpu has none"),
}


@pytest.mark.parametrize("changes", REFUSED)
def test_what_cannot_work_is_refused_before_there_is_a_run(
    changes: str, reals: Path, tmp_path: Path
) -> None:
    kind, said = REFUSED[changes]
    with pytest.raises(kind, match=said):
        trained(tiny_settings(*changes.split()), reals, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_pictures_must_be_square(tmp_path: Path) -> None:
    from pgan_toolkit.imaging import encode_png

    pixels = torch.zeros(16, 20, 3, dtype=torch.uint8).numpy()
    (tmp_path / "reals").mkdir()
    (tmp_path / "reals" / "a.png").write_bytes(encode_png(pixels))
    with pytest.raises(DataError, match=r"a\.png: 20x16 pixels, not square"):
        trained(SHORT, tmp_path / "reals", tmp_path / "run")


@pytest.mark.slow
def test_rows_behind_the_checkpoint_are_made_again(reals: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with at_step(9, Crash()), pytest.raises(Crash):
        trained(SHORT, reals, run.path)
    assert rows(run.log)[-1]["kimg"] == 0.072
    with run.log.open("a") as file:
        file.write('{"kimg": 0.0')  # as a kill leaves it
    resume_training(run.path, options=QUIET)
    assert [row["kimg"] for row in rows(run.log)] == [0.024, 0.04, 0.048, 0.072, 0.08]
    assert read_saved(newest_checkpoint(run)).state.steps == 10
