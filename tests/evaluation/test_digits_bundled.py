"""The weights that come along, on real digits."""

import json
from importlib import resources
from pathlib import Path

import pytest
import torch

from pgan_toolkit.errors import SetupError
from pgan_toolkit.evaluation.digits import (
    bundled_classifier,
    bundled_digits,
    load_mnist,
    stacked_digits,
)
from pgan_toolkit.evaluation.digits.training import count_errors
from pgan_toolkit.metrics import image_modes


@pytest.mark.shared_data
def test_the_first_test_digits_are_told(shared_data: Path) -> None:
    digits = load_mnist(shared_data / "mnist", split="test")
    found = bundled_classifier()(torch.from_numpy(digits.images[:500]))
    assert (found.numpy() != digits.labels[:500]).sum() <= 4  # 0.8 %


@pytest.mark.shared_data
@pytest.mark.parametrize("size_px", [28, 32])
def test_real_stacked_digits_have_the_modes_of_their_labels(
    shared_data: Path, size_px: int
) -> None:
    digits = load_mnist(shared_data / "mnist", split="test")
    records = list(stacked_digits(digits, images=128, size_px=size_px))
    images = torch.stack([torch.from_numpy(each.image).permute(2, 0, 1) for each in records])
    modes = image_modes(images, bundled_classifier()).tolist()
    wrong = sum(mode != each.label for mode, each in zip(modes, records, strict=True))
    assert wrong <= 5  # 1.2 % is expected of three digits at 0.4 %


@pytest.mark.slow
@pytest.mark.shared_data
def test_the_test_error_is_the_one_published(shared_data: Path) -> None:
    digits = load_mnist(shared_data / "mnist", split="test")
    described = json.loads((resources.files("pgan_data_manifests") / "weights.json").read_text())
    scores = next(each for each in described["weights"] if each["name"] == "digits")["scores"]
    assert count_errors(bundled_classifier(), digits) == scores["test_errors"] <= 40


def test_an_incomplete_installation_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(resources, "files", lambda _: tmp_path)
    with pytest.raises(SetupError, match="install pgan-toolkit again"):
        bundled_digits()
