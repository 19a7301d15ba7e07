import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import run_main
from pgan_cli.modes import modes

from pgan_toolkit.evaluation.digits import save_classifier
from pgan_toolkit.imaging import decode_image
from pgan_toolkit.metrics.modes import MODES_IMAGES, MODES_REPEATS
from pgan_toolkit.metrics.networks.digits import DigitNet, DigitNetConfig
from pgan_toolkit.storage import Record, open_sink


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network that was not trained: it finds some classes, always the same."""
    path = tmp_path_factory.mktemp("weights") / "digits.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = DigitNet(DigitNetConfig((2, 2, 2)))
    save_classifier(path, network, training={})
    return path


def _write(path: Path, count: int, *, size_px: int = 28) -> Path:
    rng = np.random.default_rng(0)
    with open_sink(path) as sink:
        for number in range(count):
            image = rng.integers(0, 256, (size_px, size_px, 3), np.uint8) * (number % 2)
            sink.write(Record(f"{number:05d}", image.astype(np.uint8)))
    return path


@pytest.mark.parametrize("size_px", [28, 32])
def test_a_table_a_picture_and_json(tmp_path: Path, weights: Path, size_px: int) -> None:
    fake = _write(tmp_path / "fake.zip", 11, size_px=size_px)
    picture, report = tmp_path / "modes.png", tmp_path / "modes.json"
    words = ("--images", 5, "--repeats", 3, "--weights", weights, "--device", "cpu")
    outcome = run_main("modes", fake, *words, "--histogram", picture, "--json", report)
    assert outcome.code == 0
    assert "counting modes: 10 images" in outcome.err
    assert "warning: 2 of 3 repeats" in outcome.err
    assert "\n  kl " in outcome.out
    result = json.loads(report.read_text())["results"][0]
    assert (result["metric"], result["images"]) == ("modes", {"fake": 10})
    assert result["components"]["modes"] == result["value"] >= 1
    assert result["extractor"].startswith("digits sha256:")
    assert result["seed"] == 0  # 10 of the 11 were chosen
    assert decode_image(picture.read_bytes(), name="picture").shape[1] > 1500


def test_the_defaults_are_the_protocol() -> None:
    defaults = {option.name: option.default for option in modes.params}
    assert (defaults["images"], defaults["repeats"]) == (MODES_IMAGES, MODES_REPEATS)


def test_quiet_says_nothing_and_writes_all_the_same(tmp_path: Path, weights: Path) -> None:
    fake, report = _write(tmp_path / "fake", 3), tmp_path / "modes.json"
    outcome = run_main("modes", fake, "--weights", weights, "--json", report, "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    result = json.loads(report.read_text())["results"][0]
    assert result["seed"] is None
    assert "3 images: a repeat takes 25,600" in result["warnings"][0]


def test_bad_pictures_are_named_or_left_out(tmp_path: Path, weights: Path) -> None:
    fake = _write(tmp_path / "fake", 4)
    bad = next(fake.rglob("*00002.png"))
    bad.write_bytes(bad.read_bytes()[:40])
    outcome = run_main("modes", fake, "--weights", weights)
    assert outcome.code == 3
    assert bad.name in outcome.err
    outcome = run_main("modes", fake, "--weights", weights, "--skip-bad")
    assert outcome.code == 0
    assert "1 unreadable picture left out" in outcome.err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--histogram", "modes.jpg"), 2, "extension .png"),
        (("--histogram", "none/modes.png"), 2, "no folder"),
        (("--json", "none/modes.json"), 2, "no folder"),
        (("--images", 0), 2, "--images"),
        (("--repeats", 0), 2, "--repeats"),
        (("--device", "tpu"), 2, "auto, cpu, cuda"),
        (("--weights", "none.safetensors"), 2, "none.safetensors"),
    ],
)
def test_bad_words_are_refused(
    tmp_path: Path, weights: Path, words: tuple[object, ...], code: int, told: str
) -> None:
    fake = _write(tmp_path / "fake.zip", 2)
    rest = () if "--weights" in words else ("--weights", weights)
    outcome = run_main("modes", fake, *words, *rest)
    assert outcome.code == code
    assert told in outcome.err
    assert "Traceback" not in outcome.err


def test_other_sizes_and_mixed_ones_are_refused(tmp_path: Path, weights: Path) -> None:
    outcome = run_main("modes", _write(tmp_path / "a.zip", 2, size_px=64), "--weights", weights)
    assert outcome.code == 3
    assert "a.zip: images of 64x64 pixels; expected stacked digits of 28x28" in outcome.err
    with open_sink(tmp_path / "b.zip") as sink:
        for size_px in (28, 32):
            sink.write(Record(str(size_px), np.zeros((size_px, size_px, 3), np.uint8)))
    outcome = run_main("modes", tmp_path / "b.zip", "--weights", weights)
    assert outcome.code == 3
    assert "32x32" in outcome.err


def test_an_empty_folder_is_refused(tmp_path: Path, weights: Path) -> None:
    (tmp_path / "empty").mkdir()
    outcome = run_main("modes", tmp_path / "empty", "--weights", weights)
    assert outcome.code == 3
    assert "empty" in outcome.err
