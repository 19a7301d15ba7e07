import json
import math
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mnist_files import write_mnist

from pgan_toolkit.errors import DataError, Interrupted, SetupError, UsageError
from pgan_toolkit.evaluation.digits import (
    DigitTraining,
    TrainedDigits,
    load_classifier,
    load_mnist,
    train_digits,
    training,
)
from pgan_toolkit.evaluation.digits.distortion import Distortion, distort
from pgan_toolkit.evaluation.digits.training import count_errors, learning_rate_at
from pgan_toolkit.metrics.networks.digits import DigitNetConfig
from pgan_toolkit.runs import CheckpointKind, read_state, save_checkpoint
from pgan_toolkit.storage import lock_file

NOTHING = Distortion(rotation_deg=0, scale=0, shear=0, shift_px=0, elastic_px=0)
SMALL = DigitTraining(
    epochs=8,
    minibatch_size=16,
    validation=40,
    ema_decay=0.9,
    network=DigitNetConfig((8, 8, 8)),
    distortion=Distortion(rotation_deg=2, shift_px=0.2, scale=0.02, shear=0.02, elastic_px=0.1),
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mnist(tmp_path_factory.mktemp("mnist"))


def _train(
    settings: DigitTraining, mnist: Path, out: Path, *, resume: bool = False
) -> TrainedDigits:
    return train_digits(settings, data=mnist, out=out, resume=resume, device="cpu", mode="quiet")


def test_a_run_learns_and_says_so(tmp_path: Path, mnist: Path) -> None:
    before = torch.get_rng_state()
    trained = _train(SMALL, mnist, tmp_path / "run")
    assert torch.equal(torch.get_rng_state(), before)
    assert trained.test_images == 40
    assert trained.test_error == trained.test_errors / 40 <= 0.1
    classifier = load_classifier(trained.weights, device=CPU)
    assert count_errors(classifier, load_mnist(mnist, split="test")) == trained.test_errors
    first, *epochs, last = map(
        json.loads, (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    )
    assert first["settings"]["epochs"] == len(epochs) == 8
    assert [row["epoch"] for row in epochs] == list(range(1, 9))
    assert epochs[-1]["loss"] < epochs[0]["loss"] / 2
    assert epochs[-1]["validation_errors"] <= 4
    assert (last["test_images"], last["test_errors"]) == (40, trained.test_errors)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "digits.safetensors",
        "lock",
        "log.jsonl",
    ]


def test_the_same_settings_give_the_same_bytes(tmp_path: Path, mnist: Path) -> None:
    short = replace(SMALL, epochs=1, validation=0)
    a, b = (_train(short, mnist, tmp_path / name).weights.read_bytes() for name in "ab")
    other = _train(replace(short, seed=1), mnist, tmp_path / "c").weights.read_bytes()
    assert a == b != other
    assert "validation_errors" not in (tmp_path / "a" / "log.jsonl").read_text()


@pytest.mark.parametrize("at_step", [0, 9, 13])  # of 8 an epoch: in the first, second
def test_a_stopped_run_resumes_to_the_same_bytes(
    at_step: int, tmp_path: Path, mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = replace(SMALL, epochs=2, minibatch_size=16)
    whole = _train(short, mnist, tmp_path / "whole").weights.read_bytes()

    def interrupted(step: int, steps: int, *, highest: float) -> float:
        if step == at_step:
            os.kill(os.getpid(), signal.SIGINT)
        return learning_rate_at(step, steps, highest=highest)

    out = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(training, "learning_rate_at", interrupted)
        with pytest.raises(Interrupted, match=r"[01] of 2 epochs are kept, .* --resume"):
            _train(short, mnist, out)
    with pytest.raises(UsageError, match=r"holds a run already; go on with it \(--resume\)"):
        _train(short, mnist, out)
    with pytest.raises(UsageError, match=r"of a run with another learning_rate; give"):
        _train(replace(short, learning_rate=0.05), mnist, out, resume=True)
    assert _train(short, mnist, out, resume=True).weights.read_bytes() == whole
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [row.get("epoch") for row in rows] == [None, 1, 2, None]
    assert "settings" in rows[0]
    with pytest.raises(UsageError, match="holds a finished run"):
        _train(short, mnist, out, resume=True)


def test_a_run_killed_between_log_and_checkpoint_has_each_epoch_once(
    tmp_path: Path, mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, calls = replace(SMALL, epochs=2), list[int]()

    def killed(*args: object, **options: object) -> None:
        calls.append(1)
        if len(calls) == 3:  # of the start, the first epoch, the second
            raise KeyboardInterrupt
        save_checkpoint(*args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(training, "save_checkpoint", killed)
        with pytest.raises(KeyboardInterrupt):
            _train(short, mnist, tmp_path)
    assert (tmp_path / "log.jsonl").read_text().count('"epoch"') == 2
    _train(short, mnist, tmp_path, resume=True)
    assert (tmp_path / "log.jsonl").read_text().count('"epoch"') == 2


def test_there_must_be_a_run_to_resume(tmp_path: Path, mnist: Path) -> None:
    with pytest.raises(UsageError, match="holds no run, none to go on with"):
        _train(SMALL, mnist, tmp_path / "none", resume=True)
    assert not (tmp_path / "none").exists()


def test_a_run_is_not_overwritten(tmp_path: Path, mnist: Path) -> None:
    (tmp_path / "log.jsonl").write_text("kept")
    with pytest.raises(UsageError, match="holds a run already"):
        _train(SMALL, mnist, tmp_path)
    assert (tmp_path / "log.jsonl").read_text() == "kept"


def test_two_runs_do_not_share_a_folder(tmp_path: Path, mnist: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    with (
        lock_file(out / "lock", work="training"),
        pytest.raises(SetupError, match="another training"),
    ):
        _train(SMALL, mnist, out)
    assert [path.name for path in out.iterdir()] == ["lock"]


def test_a_file_is_no_folder_for_a_run(tmp_path: Path, mnist: Path) -> None:
    (tmp_path / "run").write_text("kept")
    with pytest.raises(UsageError, match=f"{tmp_path / 'run'}: is a file; name a folder"):
        _train(SMALL, mnist, tmp_path / "run")


def test_a_loss_that_is_no_number_stops_the_run_at_once(
    tmp_path: Path, mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wild, out, steps = replace(SMALL, learning_rate=1e12), tmp_path / "run", list[int]()

    def counted(step: int, count: int, *, highest: float) -> float:
        steps.append(step)
        return learning_rate_at(step, count, highest=highest)

    monkeypatch.setattr(training, "learning_rate_at", counted)
    told = r"the loss of step (\d+) is (nan|inf), with --learning-rate 1e\+12: begin another run"
    with pytest.raises(DataError, match=told) as raised:
        _train(wild, mnist, out)
    assert f"of step {len(steps)} is" in str(raised.value)
    assert len(steps) < 8  # the first epoch is not done to its end
    assert not (out / "digits.safetensors").exists()
    assert "NaN" not in (out / "log.jsonl").read_text()


@pytest.mark.parametrize(
    ("value", "epochs_kept"),
    [(math.nan, 0), (1e5, 1)],  # this one is too large as it is stored
)
def test_weights_that_are_no_numbers_are_not_written(
    tmp_path: Path, mnist: Path, monkeypatch: pytest.MonkeyPatch, value: float, epochs_kept: int
) -> None:
    """Of the mean, which no loss shows."""
    follow = training._Run._follow

    def spoilt(run: training._Run, step: int) -> None:
        follow(run, step)
        next(run.average.parameters()).fill_(value)

    out = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(training._Run, "_follow", spoilt)
        with pytest.raises(DataError, match=r"the tensor \S+ has values .* --learning-rate 0\.1"):
            _train(replace(SMALL, epochs=1), mnist, out)
    assert not (out / "digits.safetensors").exists()
    assert (out / "log.jsonl").read_text().count('"epoch"') == epochs_kept
    kind = CheckpointKind("pgan-toolkit digits checkpoint", 1)
    assert read_state(out / "checkpoint.safetensors", kind=kind)["epochs_done"] == epochs_kept


def test_a_run_needs_digits_and_room_to_train(tmp_path: Path, mnist: Path) -> None:
    with pytest.raises(UsageError, match=r"leaves 0 of 160 .* minibatch of 16"):
        _train(replace(SMALL, validation=200), mnist, tmp_path / "run")
    with pytest.raises(DataError, match="neither train-images"):
        _train(SMALL, tmp_path, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 0},
        {"minibatch_size": 0},
        {"validation": -1},
        {"seed": -1},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"momentum": 1.0},
        {"dropout": -0.1},
        {"ema_decay": 1.5},
    ],
)
def test_senseless_settings_are_refused_by_name(changes: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(changes))):
        replace(SMALL, **changes)


def test_the_learning_rate_rises_and_falls_as_a_cosine() -> None:
    rates = [learning_rate_at(step, 1000, highest=0.5) for step in range(1000)]
    assert rates[0] == 0.5 / 100
    assert max(rates) == rates[99] == rates[100] == 0.5
    assert rates[550] == pytest.approx(0.25)
    assert 0 < rates[-1] < 1e-5
    assert learning_rate_at(0, 1, highest=0.5) == 0.5


def _digits(count: int = 4) -> torch.Tensor:
    return torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def _distorted(how: Distortion, digits: torch.Tensor) -> torch.Tensor:
    return distort(digits, how, np.random.default_rng(0))


def test_no_distortion_changes_nothing() -> None:
    assert torch.allclose(_distorted(NOTHING, _digits()), _digits(), atol=1e-5)


def test_each_digit_is_moved_in_its_own_way_by_what_is_allowed() -> None:
    dot = torch.zeros(64, 1, 28, 28)
    dot[:, :, 14, 14] = 1
    moved = _distorted(replace(NOTHING, shift_px=3), dot)
    assert torch.allclose(moved.sum((1, 2, 3)), torch.ones(64), atol=1e-4)
    places = torch.arange(28.0)
    for axis in (2, 3):
        centre = (moved.sum((1, 5 - axis)) * places).sum(1) - 14
        assert centre.abs().max() <= 3.001
        assert centre.min() < -1.5
        assert centre.max() > 1.5


def test_a_rotation_keeps_the_middle_and_turns_the_rest() -> None:
    disc = torch.hypot(*torch.meshgrid(*2 * [torch.arange(28) - 13.5], indexing="ij")) < 9
    round_one = disc.float()[None, None]
    turned = _distorted(replace(NOTHING, rotation_deg=45), round_one)
    assert (turned - round_one).abs().mean() < 0.03
    bar = torch.zeros(1, 1, 28, 28)
    bar[..., 12:16, 4:24] = 1
    assert (_distorted(replace(NOTHING, rotation_deg=45), bar) - bar).abs().mean() > 0.03


def test_what_comes_in_is_black_and_values_keep_their_range() -> None:
    white = torch.ones(16, 1, 28, 28)
    moved = _distorted(replace(NOTHING, shift_px=5, elastic_px=1), white)
    assert moved.min() == 0
    assert moved.max() <= 1.0001


@pytest.mark.parametrize("changes", [{"shift_px": -1}, {"scale": 1}, {"elastic_nodes": 1}])
def test_senseless_distortions_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(changes))):
        replace(NOTHING, **changes)
