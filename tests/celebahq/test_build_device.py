"""Builds by the device pipeline, here on the CPU: the host's verdicts, and the same bytes again."""

from pathlib import Path

import pytest
import torch

from pgan_toolkit.celebahq import BuildSettings, BuildSummary, build_dataset
from pgan_toolkit.celebahq.ledger import Ledger, Row
from pgan_toolkit.errors import DataError
from pgan_toolkit.restoration.networks import RedNet, RedNetConfig, SRResNet, SRResNetConfig
from pgan_toolkit.restoration.weights import save_network


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Small nets of random weights, as --restorer names them."""
    folder = tmp_path_factory.mktemp("nets")
    torch.manual_seed(5)
    save_network(folder / "j.safetensors", RedNet(RedNetConfig(layers=2, maps=4)), task="jpeg")
    superres = SRResNet(SRResNetConfig(blocks=1, maps=4))
    save_network(folder / "s.safetensors", superres, task="superres")
    return f"nets:jpeg={folder}/j.safetensors,superres={folder}/s.safetensors"


def _build(samples: Path, out: Path, nets: str, **changes: object) -> BuildSummary:
    values = {"size": 64, "restorer": nets, "device": "cpu", "count": 6, "workers": 1, **changes}
    return build_dataset(BuildSettings(src=samples, out=out, **values), mode="quiet")


def _rows(out: Path) -> list[Row]:
    with Ledger(out.with_name(f"{out.name}.build") / "ledger.sqlite") as ledger:
        return list(ledger.rows())


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.slow
def test_the_device_keeps_and_refuses_what_the_host_does(
    samples: Path, tmp_path: Path, nets: str
) -> None:
    _build(samples, tmp_path / "host", nets)
    _build(samples, tmp_path / "device", nets, pipeline="device")
    assert sorted(_bytes(tmp_path / "device")) == sorted(_bytes(tmp_path / "host"))
    for found, expected in zip(_rows(tmp_path / "device"), _rows(tmp_path / "host"), strict=True):
        assert (found.key, found.reason) == (expected.key, expected.reason)
        assert found.pixel_digest == expected.pixel_digest
        assert found.score == (expected.score and pytest.approx(expected.score, abs=0.05))
    with pytest.raises(DataError, match="pipeline was device and is now host"):
        _build(samples, tmp_path / "device", nets)


@pytest.mark.slow
def test_a_build_that_stopped_goes_on_to_the_same_bytes(
    samples: Path, tmp_path: Path, nets: str
) -> None:
    _build(samples, tmp_path / "whole", nets, pipeline="device")
    categories = [row.category for row in _rows(tmp_path / "whole")]
    counted = sum(category not in ("", "no picture") for category in categories)
    with pytest.raises(DataError, match="max-failures"):
        _build(samples, tmp_path / "stopped", nets, pipeline="device", max_failures=counted - 1)
    assert not (tmp_path / "stopped").exists()
    summary = _build(samples, tmp_path / "stopped", nets, pipeline="device", workers=3)
    assert summary.resumed > 0
    assert _bytes(tmp_path / "stopped") == _bytes(tmp_path / "whole")
