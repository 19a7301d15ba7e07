import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from pgan_toolkit.errors import DataError
from pgan_toolkit.evaluation.digits import load_classifier, save_classifier
from pgan_toolkit.metrics.networks.digits import DigitNet, DigitNetConfig

CPU = torch.device("cpu")
GOOD = {"format": "pgan-toolkit digit classifier", "version": 1, "widths": [2, 3, 4]}


@pytest.fixture
def network() -> DigitNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = DigitNet(DigitNetConfig((2, 3, 4)))
        network(torch.rand(8, 1, 28, 28))  # moves the running statistics of the norms
    return network.eval()


@pytest.fixture
def stored(tmp_path: Path, network: DigitNet) -> Path:
    save_classifier(tmp_path / "digits.safetensors", network, training={"seed": 3})
    return tmp_path / "digits.safetensors"


def test_what_is_stored_classifies_as_before(stored: Path, network: DigitNet) -> None:
    digits = torch.randint(0, 256, (60, 28, 28), dtype=torch.uint8)
    classifier = load_classifier(stored, device=CPU)
    with torch.inference_mode():
        logits = network(digits[:, None].float() / 255)
    clear = logits.topk(2).values.diff().abs()[:, 0] > 0.01  # beyond what half precision moves
    assert clear.sum() > 5
    assert torch.equal(classifier(digits)[clear], logits.argmax(1)[clear])
    digest = hashlib.sha256(stored.read_bytes()).hexdigest()
    assert classifier.identity == f"digits sha256:{digest}"


def test_the_file_is_half_precision_and_says_how_it_was_made(stored: Path) -> None:
    data = stored.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    described = json.loads(header.pop("__metadata__")["pgan-toolkit"])
    assert described == {**GOOD, "training": {"seed": 3}}
    assert {entry["dtype"] for entry in header.values()} == {"F16"}


def _refused(path: Path) -> str:
    with pytest.raises(DataError) as error:
        load_classifier(path, device=CPU)
    assert str(path) in str(error.value)
    return str(error.value)


def test_a_truncated_file_is_refused_with_its_digest(stored: Path) -> None:
    stored.write_bytes(stored.read_bytes()[:-100])
    assert hashlib.sha256(stored.read_bytes()).hexdigest() in _refused(stored)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    assert "no such weight file" in _refused(tmp_path / "none.safetensors")
    assert "is a folder" in _refused(tmp_path)


@pytest.mark.parametrize(
    ("described", "told"),
    [
        (None, "describes itself as {}"),
        ("[]", "describes itself as []"),
        ("{", "cannot be read"),
        (json.dumps({**GOOD, "version": 2}), "version 1"),
        (json.dumps({**GOOD, "format": "other"}), "train-digits"),
        (json.dumps({**GOOD, "widths": [2, 3]}), "three widths"),
        (json.dumps({**GOOD, "widths": [2, 3, 4096]}), "from 1 to 1024"),
        (json.dumps({**GOOD, "widths": [2, 3, 5]}), "do not fit"),
    ],
)
def test_other_descriptions_are_refused(
    tmp_path: Path, network: DigitNet, described: str | None, told: str
) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(
        save(
            {name: value.half() for name, value in network.state_dict().items()},
            None if described is None else {"pgan-toolkit": described},
        )
    )
    assert told in _refused(path)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, network: DigitNet) -> None:
    network.classes.bias.data[3] = torch.nan
    path = tmp_path / "nan.safetensors"
    save_classifier(path, network, training={})
    assert "classes.bias" in _refused(path)
