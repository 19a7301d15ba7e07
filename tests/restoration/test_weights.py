"""Weight files: what is saved comes back, and what is not a weight file is refused by name."""

import json
from pathlib import Path
from unittest import mock

import pytest
import torch
from safetensors.torch import load, save

from pgan_toolkit.errors import DataError, SetupError
from pgan_toolkit.restoration.networks import RedNet, RedNetConfig, SRResNet, SRResNetConfig
from pgan_toolkit.restoration.weights import (
    BUNDLED,
    RestorationNet,
    Task,
    bundled_weights,
    load_network,
    read_weights,
    save_network,
)

DESCRIBED: dict[str, object] = {
    "format": "pgan-toolkit restoration weights",
    "version": 1,
    "task": "jpeg",
    "network": "red-net",
    "config": {"layers": 2, "maps": 4, "skip_every": 1, "fold": 2},
}


def _network(task: Task) -> RestorationNet:
    torch.manual_seed(0)
    if task == "jpeg":
        return RedNet(RedNetConfig(layers=2, maps=4, skip_every=1))
    return SRResNet(SRResNetConfig(blocks=1, maps=4, scale=2))


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


def test_weights_for_another_task_are_refused(path: Path) -> None:
    with pytest.raises(DataError, match=r"net\.safetensors: weights for jpeg; expected .*superres"):
        load_network(path, task="superres")


def test_missing_and_damaged_files_are_refused(path: Path, tmp_path: Path) -> None:
    for missing in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(DataError, match=f"{missing}: no such weight file"):
            load_network(missing, task="jpeg")
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
        ({"network": "u-net"}, "network 'u-net' for task 'jpeg' is not known here"),
        ({"config": None}, "its configuration cannot be read"),
        ({"config": {"depth": 2}}, "its configuration cannot be read"),
        ({"config": {"layers": 3}}, "its configuration cannot be read: layers=3"),
        ({"config": {"layers": 4, "maps": 4}}, "the tensors do not fit"),
    ],
)
def test_contents_that_are_not_understood_are_refused(
    path: Path, change: dict[str, object], message: str
) -> None:
    metadata = {"pgan-toolkit": json.dumps(DESCRIBED | change)}
    path.write_bytes(save(_network("jpeg").state_dict(), metadata))
    with pytest.raises(DataError, match=message) as caught:
        load_network(path, task="jpeg")
    assert str(path) in str(caught.value)


def test_a_description_that_is_damaged_is_refused(path: Path) -> None:
    path.write_bytes(save({"weight": torch.zeros(2)}, {"pgan-toolkit": "{"}))
    with pytest.raises(DataError, match=r"net\.safetensors: its description cannot be read"):
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
