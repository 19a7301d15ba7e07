import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from pgan_toolkit.errors import DataError, Interrupted, UsageError
from pgan_toolkit.imaging import decode_image, encode_png
from pgan_toolkit.restoration.training import RunFolder, preset, train_restorer, trainer
from pgan_toolkit.restoration.training.stages import FidelityStage
from pgan_toolkit.restoration.weights import load_network

SETTINGS = replace(preset("smoke", task="superres"), steps=8)
ADVERSARIAL = replace(preset("smoke", task="superres", adversarial=True), steps=8)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(3):
        image = np.kron(rng.integers(256, size=(12, 14, 3)), np.ones((4, 4, 1)))
        (folder / f"{number}.png").write_bytes(encode_png(image.astype(np.uint8)))
    return folder


@pytest.fixture
def _saves_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "_SAVE_EVERY", 2)
    monkeypatch.setattr(trainer, "_LOG_EVERY", 1)


def _stop_after(monkeypatch: pytest.MonkeyPatch, steps: int, error: BaseException) -> None:
    """Let the run be stopped in a step."""
    real = FidelityStage.step

    def step(self, given, target, *, index: int):
        if index == steps:
            raise error
        return real(self, given, target, index=index)

    monkeypatch.setattr(FidelityStage, "step", step)


def test_a_run_leaves_weights_settings_log_and_samples(tmp_path: Path, pictures: Path) -> None:
    out = tmp_path / "run"
    weights = train_restorer(SETTINGS, data=pictures, out=out, mode="quiet")
    assert weights == RunFolder(out).weights
    assert load_network(weights, task="superres").config == SETTINGS.network
    assert json.loads(RunFolder(out).settings.read_text())["pictures"] == 3
    lines = [json.loads(line) for line in RunFolder(out).log.read_text().splitlines()]
    assert lines[0]["step"] == 8
    assert lines[0]["loss"] > 0
    assert 5 < lines[1]["psnr_db"] < 60
    sheet = decode_image(RunFolder(out).sample(8).read_bytes(), name="sheet")
    assert sheet.shape == (6 * 32, 3 * 32, 3)


@pytest.mark.usefixtures("_saves_often")
@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("killed")])
def test_a_stopped_run_resumes_to_the_same_bytes(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Stopped by the user it saves where it is; killed it goes on from its last checkpoint."""
    whole = RunFolder(tmp_path / "whole")
    train_restorer(SETTINGS, data=pictures, out=whole.path, mode="quiet")
    parts = RunFolder(tmp_path / "parts")
    with monkeypatch.context() as patch:
        _stop_after(patch, 5, error)
        with pytest.raises((Interrupted, OSError)):
            train_restorer(SETTINGS, data=pictures, out=parts.path, mode="quiet")
    train_restorer(SETTINGS, data=pictures, out=parts.path, resume=True, mode="quiet")
    assert parts.checkpoint.read_bytes() == whole.checkpoint.read_bytes()
    assert parts.weights.read_bytes() == whole.weights.read_bytes()
    assert parts.sample(8).read_bytes() == whole.sample(8).read_bytes()
    steps = [json.loads(line) for line in parts.log.read_text().splitlines()]
    assert [row["step"] for row in steps if "loss" in row] == list(range(1, 9))


@pytest.mark.usefixtures("_saves_often")
def test_an_adversarial_run_resumes_to_the_same_bytes(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "parts")
    train_restorer(ADVERSARIAL, data=pictures, out=whole.path, mode="quiet")
    with monkeypatch.context() as patch:
        patch.setattr(trainer._Run, "_show", _raising(OSError("killed")))
        with pytest.raises(OSError, match="killed"):
            train_restorer(ADVERSARIAL, data=pictures, out=parts.path, mode="quiet")
    train_restorer(ADVERSARIAL, data=pictures, out=parts.path, resume=True, mode="quiet")
    assert parts.checkpoint.read_bytes() == whole.checkpoint.read_bytes()


def _raising(error: BaseException):
    def show(self, done: int) -> float:
        raise error

    return show


def test_the_weights_given_are_what_a_run_begins_from(tmp_path: Path, pictures: Path) -> None:
    first = train_restorer(SETTINGS, data=pictures, out=tmp_path / "first", mode="quiet")
    still = replace(SETTINGS, init=first, learning_rate=1e-30, steps=1)
    second = train_restorer(still, data=pictures, out=tmp_path / "second", mode="quiet")
    before, after = load_file(first), load_file(second)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_weights_of_another_size_are_refused(tmp_path: Path, pictures: Path) -> None:
    first = train_restorer(SETTINGS, data=pictures, out=tmp_path / "first", mode="quiet")
    larger = replace(SETTINGS, init=first, network=replace(SETTINGS.network, maps=12))
    with pytest.raises(DataError, match=r"maps=8.*maps=12"):
        train_restorer(larger, data=pictures, out=tmp_path / "second", mode="quiet")
    assert not (tmp_path / "second").exists()


def test_a_folder_with_a_run_is_not_begun_anew(tmp_path: Path, pictures: Path) -> None:
    train_restorer(SETTINGS, data=pictures, out=tmp_path / "run", mode="quiet")
    with pytest.raises(UsageError, match="--resume"):
        train_restorer(SETTINGS, data=pictures, out=tmp_path / "run", mode="quiet")


def test_nothing_to_resume_is_an_error(tmp_path: Path, pictures: Path) -> None:
    with pytest.raises(UsageError, match="no run to resume"):
        train_restorer(SETTINGS, data=pictures, out=tmp_path / "run", resume=True, mode="quiet")


@pytest.mark.parametrize("change", [{"seed": 1}, {"learning_rate": 1e-3}])
def test_a_run_is_not_resumed_with_other_settings(
    tmp_path: Path, pictures: Path, change: dict[str, float]
) -> None:
    train_restorer(SETTINGS, data=pictures, out=tmp_path / "run", mode="quiet")
    other = replace(SETTINGS, **change)
    with pytest.raises(DataError, match="other settings"):
        train_restorer(other, data=pictures, out=tmp_path / "run", resume=True, mode="quiet")


def test_a_damaged_checkpoint_is_named(tmp_path: Path, pictures: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    train_restorer(SETTINGS, data=pictures, out=folder.path, mode="quiet")
    folder.checkpoint.write_bytes(folder.checkpoint.read_bytes()[:1000])
    with pytest.raises(DataError, match="checkpoint"):
        train_restorer(SETTINGS, data=pictures, out=folder.path, resume=True, mode="quiet")


def test_curves_are_written_for_tensorboard(tmp_path: Path, pictures: Path) -> None:
    pytest.importorskip("tensorboard")
    train_restorer(SETTINGS, data=pictures, out=tmp_path / "run", tensorboard=True, mode="quiet")
    (events,) = (tmp_path / "run" / "tensorboard").iterdir()
    assert b"psnr_db" in events.read_bytes()
