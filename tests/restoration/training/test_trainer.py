import json
import re
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from pgan_toolkit.digests import file_digest
from pgan_toolkit.errors import DataError, Interrupted, SetupError, UsageError
from pgan_toolkit.imaging import decode_image, encode_png
from pgan_toolkit.restoration.networks import RedNet, RedNetConfig, SRResNet
from pgan_toolkit.restoration.training import (
    JointSettings,
    RestorerFolder,
    TrainingSettings,
    preset,
    stages,
    train_restorer,
    trainer,
)
from pgan_toolkit.restoration.training.pictures import CropPairs
from pgan_toolkit.restoration.weights import load_network, save_network
from pgan_toolkit.storage import lock_file

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


def _in_the_middle_of(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, call: int, act: Callable[[], None]
) -> None:
    """Let something happen inside a step, at the call of that number of a function."""
    real, calls = getattr(owner, name), []

    def instead(*words, **named):
        calls.append(name)
        if len(calls) == call:
            act()
        return real(*words, **named)

    monkeypatch.setattr(owner, name, instead)


def _asks_to_stop(number: signal.Signals) -> Callable[[], None]:
    return lambda: signal.raise_signal(number)


def _fails() -> None:
    raise OSError("killed")


def test_a_run_leaves_weights_settings_log_and_samples(tmp_path: Path, pictures: Path) -> None:
    out = tmp_path / "run"
    weights = train_restorer(SETTINGS, data=pictures, out=out, mode="quiet")
    assert weights == RestorerFolder(out).weights
    assert load_network(weights, task="superres").config == SETTINGS.network
    assert json.loads(RestorerFolder(out).settings.read_text())["pictures"] == 3
    lines = [json.loads(line) for line in RestorerFolder(out).log.read_text().splitlines()]
    assert lines[0]["step"] == 8
    assert lines[0]["loss"] < 0  # decibels
    assert 5 < lines[1]["psnr_db"] < 60
    sheet = decode_image(RestorerFolder(out).sample(8).read_bytes(), name="sheet")
    assert sheet.shape == (6 * 32, 3 * 32, 3)


@pytest.mark.slow
@pytest.mark.usefixtures("_saves_often")
@pytest.mark.parametrize("settings", [SETTINGS, ADVERSARIAL], ids=["fidelity", "adversarial"])
@pytest.mark.parametrize(
    ("name", "call", "number"),
    [
        ("_update", 3, signal.SIGINT),
        ("_update", 8, signal.SIGINT),  # of 3 steps after 5 alone: the discriminator's or not
        ("_update", 9, signal.SIGTERM),
        ("_follow", 2, signal.SIGINT),
    ],
)
def test_stopped_inside_a_step_a_run_resumes_to_the_same_bytes(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, settings: TrainingSettings,
    name: str, call: int, number: signal.Signals,
) -> None:  # fmt: skip
    whole, parts = RestorerFolder(tmp_path / "whole"), RestorerFolder(tmp_path / "parts")
    train_restorer(settings, data=pictures, out=whole.path, mode="quiet")
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    with monkeypatch.context() as patch:
        _in_the_middle_of(patch, stages, name, call, _asks_to_stop(number))
        if call >= 8 and settings is SETTINGS:  # in its last step, or has ended by then
            patch.undo()
            _in_the_middle_of(patch, stages, name, 7, _asks_to_stop(number))
        with pytest.raises(Interrupted, match=r"after \d steps; the same command with --resume"):
            train_restorer(settings, data=pictures, out=parts.path, mode="quiet")
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == handlers
    train_restorer(settings, data=pictures, out=parts.path, resume=True, mode="quiet")
    _require_same(whole, parts)


@pytest.mark.usefixtures("_saves_often")
@pytest.mark.parametrize("settings", [SETTINGS, ADVERSARIAL], ids=["fidelity", "adversarial"])
@pytest.mark.parametrize("call", [2, 4])
def test_killed_a_run_goes_on_from_its_last_checkpoint(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, settings: TrainingSettings,
    call: int,
) -> None:  # fmt: skip
    whole, parts = RestorerFolder(tmp_path / "whole"), RestorerFolder(tmp_path / "parts")
    train_restorer(settings, data=pictures, out=whole.path, mode="quiet")
    with monkeypatch.context() as patch:
        _in_the_middle_of(patch, trainer, "save_checkpoint", call, _fails)
        with pytest.raises(OSError, match="killed"):
            train_restorer(settings, data=pictures, out=parts.path, mode="quiet")
    with parts.log.open("a") as log:
        log.write('{"step": 4, "lo')  # a line that was cut short
    train_restorer(settings, data=pictures, out=parts.path, resume=True, mode="quiet")
    _require_same(whole, parts)
    steps = [json.loads(line) for line in parts.log.read_text().splitlines()]
    losses = [row["step"] for row in steps if "steps_per_s" in row]
    assert losses == list(range(1, 9))
    assert [row["step"] for row in steps if "psnr_db" in row] == [2, 4, 6, 8]


def _require_same(whole: RestorerFolder, parts: RestorerFolder) -> None:
    assert parts.checkpoint.read_bytes() == whole.checkpoint.read_bytes()
    assert parts.weights.read_bytes() == whole.weights.read_bytes()
    assert parts.sample(8).read_bytes() == whole.sample(8).read_bytes()


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        (stages, "_update", 8),  # the last step
        (trainer, "encode_png", 1),  # its report
        (trainer, "save_checkpoint", 1),
    ],
)
def test_a_run_that_is_asked_to_stop_in_its_last_step_ends(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch,
    owner: object, name: str, call: int,
) -> None:  # fmt: skip
    folder = RestorerFolder(tmp_path / "run")
    handler = signal.getsignal(signal.SIGINT)
    _in_the_middle_of(monkeypatch, owner, name, call, _asks_to_stop(signal.SIGINT))
    assert train_restorer(SETTINGS, data=pictures, out=folder.path, mode="quiet") == folder.weights
    assert signal.getsignal(signal.SIGINT) is handler
    lines = [json.loads(line) for line in folder.log.read_text().splitlines()]
    assert [row["step"] for row in lines if "psnr_db" in row] == [8]
    assert load_network(folder.weights, task="superres").config == SETTINGS.network


def test_a_second_signal_stops_at_once(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    _in_the_middle_of(monkeypatch, stages, "_update", 3, twice)
    with pytest.raises(KeyboardInterrupt):
        train_restorer(SETTINGS, data=pictures, out=tmp_path / "run", mode="quiet")
    assert not RestorerFolder(tmp_path / "run").checkpoint.exists()


def test_two_runs_do_not_share_a_folder(tmp_path: Path, pictures: Path) -> None:
    folder = RestorerFolder(tmp_path / "run")
    folder.path.mkdir()
    with (
        lock_file(folder.lock, work="training"),
        pytest.raises(SetupError, match="another training"),
    ):
        train_restorer(SETTINGS, data=pictures, out=folder.path, mode="quiet")
    assert not folder.checkpoint.exists()


def test_a_picture_that_cannot_be_decoded_stops_the_run_and_keeps_what_was_learned(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RestorerFolder(tmp_path / "run")
    damaged = DataError("9.png: the picture is damaged")

    def _damaged() -> None:
        raise damaged

    with monkeypatch.context() as patch:
        # After the crops of the log come two a step, and three steps are made ahead.
        _in_the_middle_of(patch, CropPairs, "pair", 16 + 8, _damaged)
        with pytest.raises(DataError, match=r"9\.png"):
            train_restorer(SETTINGS, data=pictures, out=folder.path, mode="quiet")
    train_restorer(SETTINGS, data=pictures, out=folder.path, resume=True, mode="quiet")
    whole = train_restorer(SETTINGS, data=pictures, out=tmp_path / "whole", mode="quiet")
    assert folder.weights.read_bytes() == whole.read_bytes()


def test_pictures_that_have_changed_are_noticed(tmp_path: Path, pictures: Path) -> None:
    data = tmp_path / "pictures"
    shutil.copytree(pictures, data)
    train_restorer(SETTINGS, data=data, out=tmp_path / "run", mode="quiet")
    (data / "0.png").write_bytes(encode_png(np.zeros((48, 56, 3), np.uint8)))
    told = r"other settings \(pictures_sha256: [0-9a-f]{64}, now [0-9a-f]{64}\); resume with those"
    with pytest.raises(DataError, match=told):
        train_restorer(SETTINGS, data=data, out=tmp_path / "run", resume=True, mode="quiet")


def test_the_weights_given_are_what_a_run_begins_from(tmp_path: Path, pictures: Path) -> None:
    first = train_restorer(SETTINGS, data=pictures, out=tmp_path / "first", mode="quiet")
    still = replace(SETTINGS, init=first, learning_rate=1e-30, steps=1)
    second = train_restorer(still, data=pictures, out=tmp_path / "second", mode="quiet")
    before, after = load_file(first), load_file(second)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_superres_net_learns_behind_the_jpeg_net(tmp_path: Path, pictures: Path) -> None:
    """What it gets has gone through that one: with one that blackens pictures, black."""
    torch.manual_seed(0)
    dark = RedNet(RedNetConfig(layers=2, maps=4, doubt_levels=0))
    with torch.no_grad():
        dark.last.bias.fill_(-10)
    save_network(tmp_path / "dark.safetensors", dark, task="jpeg")
    behind = replace(SETTINGS, behind=tmp_path / "dark.safetensors")
    train_restorer(behind, data=pictures, out=tmp_path / "behind", mode="quiet")
    train_restorer(SETTINGS, data=pictures, out=tmp_path / "alone", mode="quiet")
    quality = [
        json.loads(RestorerFolder(tmp_path / name).log.read_text().splitlines()[-1])["psnr_db"]
        for name in ("behind", "alone")
    ]
    assert quality[0] < quality[1] - 3
    stored = json.loads(RestorerFolder(tmp_path / "behind").settings.read_text())
    assert stored["behind"] == file_digest(tmp_path / "dark.safetensors")


@pytest.mark.usefixtures("_saves_often")
def test_a_joint_run_gives_both_nets_and_goes_on_where_it_was_killed(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = RedNet(RedNetConfig(layers=2, maps=4))
    save_network(tmp_path / "jpeg.safetensors", first, task="jpeg")
    settings = replace(SETTINGS, behind=tmp_path / "jpeg.safetensors", joint=JointSettings())
    whole, parts = RestorerFolder(tmp_path / "whole"), RestorerFolder(tmp_path / "parts")
    train_restorer(settings, data=pictures, out=whole.path, mode="quiet")
    assert load_network(whole.weights, task="superres").config == SETTINGS.network
    assert load_network(whole.jpeg_weights, task="jpeg").config == first.config
    with monkeypatch.context() as patch:
        _in_the_middle_of(patch, trainer, "save_checkpoint", 2, _fails)
        with pytest.raises(OSError, match="killed"):
            train_restorer(settings, data=pictures, out=parts.path, mode="quiet")
    train_restorer(settings, data=pictures, out=parts.path, resume=True, mode="quiet")
    _require_same(whole, parts)
    assert parts.jpeg_weights.read_bytes() == whole.jpeg_weights.read_bytes()


def test_weights_of_another_size_are_refused(tmp_path: Path, pictures: Path) -> None:
    first = train_restorer(SETTINGS, data=pictures, out=tmp_path / "first", mode="quiet")
    for change, told in (({"maps": 4}, r"maps=8.*maps=4"), ({"blocks": 2}, "blocks=1.*blocks=2")):
        other = replace(SETTINGS, init=first, network=replace(SETTINGS.network, **change))
        with pytest.raises(DataError, match=told):
            train_restorer(other, data=pictures, out=tmp_path / "second", mode="quiet")
        assert not (tmp_path / "second").exists()


def test_weights_of_fewer_maps_are_widened_and_learn_on(tmp_path: Path, pictures: Path) -> None:
    first = train_restorer(SETTINGS, data=pictures, out=tmp_path / "first", mode="quiet")
    wider = replace(SETTINGS, init=first, network=replace(SETTINGS.network, maps=12))
    weights = train_restorer(wider, data=pictures, out=tmp_path / "second", mode="quiet")
    network = load_network(weights, task="superres")
    assert network.config.maps == 12
    assert torch.count_nonzero(network.last.weight[:, 8:]) > 0  # the new maps count by now


def test_a_folder_with_a_run_is_not_begun_anew(tmp_path: Path, pictures: Path) -> None:
    train_restorer(SETTINGS, data=pictures, out=tmp_path / "run", mode="quiet")
    with pytest.raises(UsageError, match="--resume"):
        train_restorer(SETTINGS, data=pictures, out=tmp_path / "run", mode="quiet")


def test_nothing_to_resume_is_an_error(tmp_path: Path, pictures: Path) -> None:
    with pytest.raises(UsageError, match="no run to resume"):
        train_restorer(SETTINGS, data=pictures, out=tmp_path / "run", resume=True, mode="quiet")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 1}, "seed: 0, now 1"),
        ({"learning_rate": 1e-3}, "learning_rate: 0.0005, now 0.001"),
        (
            {"network": replace(SETTINGS.network, maps=12), "minibatch_size": 3},
            "minibatch_size: 2, now 3; network.maps: 8, now 12",
        ),
    ],
)
def test_a_run_is_not_resumed_with_other_settings_which_are_named(
    tmp_path: Path, pictures: Path, change: dict[str, Any], told: str
) -> None:
    train_restorer(SETTINGS, data=pictures, out=tmp_path / "run", mode="quiet")
    other = replace(SETTINGS, **change)
    with pytest.raises(DataError, match=rf"other settings \({re.escape(told)}\); resume"):
        train_restorer(other, data=pictures, out=tmp_path / "run", resume=True, mode="quiet")


def test_of_initial_weights_that_have_changed_the_digests_are_told(
    tmp_path: Path, pictures: Path
) -> None:
    first = train_restorer(SETTINGS, data=pictures, out=tmp_path / "first", mode="quiet")
    before = file_digest(first)
    begun = replace(SETTINGS, init=first)
    train_restorer(begun, data=pictures, out=tmp_path / "second", mode="quiet")
    save_network(first, SRResNet(SETTINGS.network), task="superres")
    told = rf"\(init \(SHA-256\): {before}, now {file_digest(first)}\)"
    with pytest.raises(DataError, match=told):
        train_restorer(begun, data=pictures, out=tmp_path / "second", resume=True, mode="quiet")


@pytest.mark.parametrize("settings", ["null", "none", "[1]"])
def test_a_checkpoint_without_settings_is_named(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, settings: str
) -> None:
    folder = RestorerFolder(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "_describe", lambda *_: settings)
        patch.setattr(trainer, "_recorded", lambda *_, **__: b"{}")
        train_restorer(SETTINGS, data=pictures, out=folder.path, mode="quiet")
    with pytest.raises(DataError, match=r"checkpoint\.safetensors: its settings are"):
        train_restorer(SETTINGS, data=pictures, out=folder.path, resume=True, mode="quiet")


def test_a_damaged_checkpoint_is_named(tmp_path: Path, pictures: Path) -> None:
    folder = RestorerFolder(tmp_path / "run")
    train_restorer(SETTINGS, data=pictures, out=folder.path, mode="quiet")
    folder.checkpoint.write_bytes(folder.checkpoint.read_bytes()[:1000])
    with pytest.raises(DataError, match="checkpoint"):
        train_restorer(SETTINGS, data=pictures, out=folder.path, resume=True, mode="quiet")


def test_curves_are_written_for_tensorboard(tmp_path: Path, pictures: Path) -> None:
    pytest.importorskip("tensorboard")
    train_restorer(SETTINGS, data=pictures, out=tmp_path / "run", tensorboard=True, mode="quiet")
    (events,) = (tmp_path / "run" / "tensorboard").iterdir()
    assert b"psnr_db" in events.read_bytes()
