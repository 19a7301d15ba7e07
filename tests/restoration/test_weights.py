"""Weight files: what is saved comes back, and what is not a weight file is refused by name."""

import hashlib
import json
from pathlib import Path
from unittest import mock

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from pgan_toolkit.errors import DataError, SetupError
from pgan_toolkit.restoration.networks import RedNet, RedNetConfig, SRResNet, SRResNetConfig
from pgan_toolkit.restoration.weights import (
    BUNDLED,
    RestorationNet,
    Task,
    bundled_weights,
    load_network,
    make_network,
    read_weights,
    save_network,
)

DESCRIBED: dict[str, object] = {
    "format": "pgan-toolkit restoration weights",
    "version": 1,
    "task": "jpeg",
    "network": "red-net",
    "config": {"layers": 2, "maps": 4, "skip_every": 1, "fold": 2, "doubt_levels": 2.0},
}


def _jpeg(**changes: object) -> dict[str, object]:
    config = DESCRIBED["config"]
    assert isinstance(config, dict)
    return {"config": config | changes}


def _superres(**changes: object) -> dict[str, object]:
    config = {"blocks": 1, "maps": 4, "scale": 4} | changes
    return {"task": "superres", "network": "sr-resnet", "config": config}


def _write(path: Path, description: object, tensors: dict[str, Tensor] | None = None) -> None:
    text = description if isinstance(description, str) else json.dumps(description)
    if tensors is None:
        tensors = _network("jpeg").state_dict()
    path.write_bytes(save(tensors, {"pgan-toolkit": text}))


def _network(task: Task) -> RestorationNet:
    torch.manual_seed(0)
    if task == "jpeg":
        return RedNet(RedNetConfig(layers=2, maps=4, skip_every=1))
    return SRResNet(SRResNetConfig(blocks=1, maps=4))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    save_network(path, _network("jpeg"), task="jpeg")
    return path


@pytest.mark.parametrize("task", ["jpeg", "superres"])
def test_a_network_comes_back_from_its_file_alone(tmp_path: Path, task: Task) -> None:
    network, path = _network(task), tmp_path / "net.safetensors"
    save_network(path, network, task=task)
    again = load_network(path, task=task)
    assert type(again) is type(network)
    assert again.config == network.config
    assert not again.training
    expected = network.state_dict()
    for name, value in again.state_dict().items():
        assert value.dtype == torch.float32
        assert not value.requires_grad
        assert torch.equal(value, expected[name].half().float())
    images = torch.rand(1, 3, 9, 8)
    with torch.no_grad():
        assert torch.allclose(again(images), network(images), atol=1e-2)


def test_saving_is_deterministic_and_half_as_large_as_float32(path: Path) -> None:
    before = path.read_bytes()
    save_network(path, _network("jpeg"), task="jpeg")
    assert path.read_bytes() == before
    assert {value.dtype for value in load(before).values()} == {torch.float16}
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_file_says_what_it_holds(path: Path) -> None:
    stored = read_weights(path)
    assert (stored.task, stored.network) == ("jpeg", "red-net")
    assert stored.config == RedNetConfig(layers=2, maps=4, skip_every=1)
    assert (stored.path, stored.sha256) == (path, hashlib.sha256(path.read_bytes()).hexdigest())


def test_what_was_read_is_kept_when_the_file_is_replaced_or_cut_off(path: Path) -> None:
    before = load(path.read_bytes())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    stored = read_weights(path)
    with path.open("r+b") as file:  # in place: what were mapped into memory would be gone
        file.truncate(100)
    assert stored.sha256 == digest
    for name, value in make_network(stored, task="jpeg").state_dict().items():
        assert torch.equal(value, before[name].float())


def test_a_network_does_not_share_its_tensors_with_what_was_read(path: Path) -> None:
    """Training goes on from a file in place; the second network must not see it."""
    _write(path, DESCRIBED)  # float32, which needs no conversion
    stored = read_weights(path)
    first, second = (make_network(stored, task="jpeg") for _ in range(2))
    with torch.no_grad():
        next(iter(first.parameters())).zero_()
    assert next(iter(second.parameters())).abs().sum() > 0


def test_weights_for_another_task_are_refused(path: Path) -> None:
    with pytest.raises(DataError, match=r"net\.safetensors: weights for jpeg; expected .*superres"):
        load_network(path, task="superres")


def test_missing_and_damaged_files_are_refused(path: Path, tmp_path: Path) -> None:
    missing = tmp_path / "none.safetensors"
    with pytest.raises(DataError, match=f"{missing}: no such weight file"):
        load_network(missing, task="jpeg")
    with pytest.raises(DataError, match=rf"{tmp_path}: is a folder; name a \.safetensors file"):
        load_network(tmp_path, task="jpeg")
    data = path.read_bytes()
    for damaged in (b"", data[:5], data[:-7], b"\xff" * 100):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"net\.safetensors: not a readable safetensors file"):
            load_network(path, task="jpeg")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "format 'other', version 1; expected"),
        ({"version": 2}, "version 2; expected"),
        ({"task": "deblur"}, "task 'deblur' is not known here"),
        ({"task": ["jpeg"]}, "is not known here"),
        ({"network": "u-net"}, "network 'u-net' for task 'jpeg' is not known here"),
        ({"network": ["red-net"]}, "is not known here"),
        ({"network": {}}, "is not known here"),
        (_superres() | {"network": "red-net"}, "red-net for superres; expected it for jpeg"),
        (_superres() | {"task": "jpeg"}, "sr-resnet for jpeg; expected it for superres"),
        ({"config": None}, "its configuration is None; expected exactly the fields layers, maps"),
        ({"config": [["layers", 2]]}, "expected exactly the fields"),
        ({"config": {"layers": 2, "maps": 4, "skip_every": 1, "fold": 2}}, "fold, doubt_levels;"),
        (_jpeg(depth=2), "expected exactly the fields"),
        (_jpeg(layers=3), "its configuration cannot be read: layers=3"),
        (_jpeg(layers=4.0), r"layers=4\.0; expected a whole number"),
        (_jpeg(maps=2.5), r"maps=2\.5; expected a whole number"),
        (_jpeg(maps=True), "maps=True; expected a whole number"),
        (_jpeg(maps="4"), "maps='4'; expected a whole number"),
        (_jpeg(maps=None), "maps=None; expected a whole number"),
        (_jpeg(fold=[2]), r"fold=\[2\]; expected a whole number"),
        (_jpeg(maps=10**9), "maps=1000000000; expected a whole number up to 1024"),
        (_jpeg(layers=10**400), "expected a whole number up to 1024"),
        (_jpeg(doubt_levels="2"), "doubt_levels='2'; expected a number"),
        (_jpeg(doubt_levels=False), "doubt_levels=False; expected a number"),
        (_jpeg(doubt_levels=float("nan")), "doubt_levels=nan; expected a number"),
        (_jpeg(doubt_levels=float("inf")), "doubt_levels=inf; expected a number"),
        (_jpeg(doubt_levels=-1), "doubt_levels=-1: expected 0 or more"),
        (_jpeg(layers=4), "the tensors do not fit"),
        (_jpeg(layers=1024, maps=1024), "the tensors do not fit"),
    ],
)
def test_contents_that_are_not_understood_are_refused(
    path: Path, change: dict[str, object], message: str
) -> None:
    _write(path, DESCRIBED | change)
    with pytest.raises(DataError, match=message) as caught:
        load_network(path, task="jpeg")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("scale", [1, 2, 8])
def test_a_network_that_enlarges_by_another_factor_is_refused(path: Path, scale: int) -> None:
    network = SRResNet(SRResNetConfig(blocks=1, maps=4, scale=scale))
    save_network(path, network, task="superres")
    with pytest.raises(DataError, match=rf"net\.safetensors: enlarges {scale} times; expected 4"):
        read_weights(path)


def test_a_whole_number_of_doubt_levels_is_a_number(path: Path) -> None:
    _write(path, DESCRIBED | _jpeg(doubt_levels=2))
    assert read_weights(path).config == RedNetConfig(layers=2, maps=4, skip_every=1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e300])
def test_weights_that_are_not_finite_are_refused(path: Path, value: float) -> None:
    tensors = {name: tensor.double() for name, tensor in _network("jpeg").state_dict().items()}
    tensors["encoder.0.bias"][1] = value  # 1e300 is no float32
    _write(path, DESCRIBED, tensors)
    with pytest.raises(DataError, match=r"net\.safetensors: the tensor encoder\.0\.bias has"):
        read_weights(path)


def test_a_description_that_is_damaged_is_refused(path: Path) -> None:
    for text in ("{", "[" * 100_000, "[]", '[["format", 1]]', "7", "null", "1" * 5000):
        _write(path, text)
        with pytest.raises(DataError, match=r"net\.safetensors: its description"):
            load_network(path, task="jpeg")


def test_a_file_without_metadata_is_somebody_elses(path: Path) -> None:
    path.write_bytes(save({"weight": torch.zeros(2)}))
    with pytest.raises(DataError, match=r"format None.*go through --restorer spandrel"):
        load_network(path, task="jpeg")


def test_the_bundled_files_lie_in_the_package(tmp_path: Path) -> None:
    assert BUNDLED == ("jpeg", "superres", "superres-adversarial")
    with (
        mock.patch("importlib.resources.files", return_value=tmp_path),
        pytest.raises(SetupError, match="the bundled weights are missing; install"),
    ):
        bundled_weights("jpeg")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "jpeg.safetensors").touch()
    with mock.patch("importlib.resources.files", return_value=tmp_path):
        assert bundled_weights("jpeg") == tmp_path / "weights" / "jpeg.safetensors"
