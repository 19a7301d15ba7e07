from pathlib import Path

import numpy as np
import pytest
from command_line import run_main

from pgan_toolkit.imaging import encode_png


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    image = np.random.default_rng(0).integers(256, size=(48, 56, 3)).astype(np.uint8)
    (folder / "noise.png").write_bytes(encode_png(image))
    return folder


def _train(*words: object, steps: int = 2):
    return run_main("train-restorer", *words, "--preset", "smoke", "--steps", steps)


@pytest.mark.parametrize("task", ["jpeg", "superres"])
def test_a_run_says_where_its_weights_are(tmp_path: Path, pictures: Path, task: str) -> None:
    outcome = _train(task, "--data", pictures, "--out", tmp_path / "run")
    assert outcome.code == 0
    assert f"weights: {tmp_path / 'run' / 'weights.safetensors'}" in outcome.out
    assert (tmp_path / "run" / "weights.safetensors").is_file()
    assert "training: 2 steps" in outcome.err


def test_the_two_stages_of_superres(tmp_path: Path, pictures: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert _train("superres", "--data", pictures, "--out", first).code == 0
    begun = (second, "--adversarial", "--init", first / "weights.safetensors")
    # The discriminator learns alone for 5 steps, the net in the one after them.
    assert _train("superres", "--data", pictures, "--out", *begun, steps=6).code == 0
    assert '"adversarial"' in (second / "log.jsonl").read_text()
    words = ("superres", "--data", pictures, "--out", *begun, "--resume", "--quiet")
    again = _train(*words, steps=6)
    assert again.code == 0
    assert again.out == again.err == ""


def test_weights_in_the_runs_folder_are_not_begun_from(tmp_path: Path, pictures: Path) -> None:
    out = tmp_path / "run"
    words = ("superres", "--data", pictures, "--out", out)
    assert _train(*words).code == 0
    weights = (out / "weights.safetensors").read_bytes()
    (out / "checkpoint.safetensors").unlink()
    for more in ((), ("--init", out / "weights.safetensors")):
        outcome = _train(*words, *more)
        assert outcome.code == 2
        assert "the run would overwrite it" in outcome.err
    assert (out / "weights.safetensors").read_bytes() == weights


def test_both_nets_jointly(tmp_path: Path, pictures: Path) -> None:
    assert _train("jpeg", "--data", pictures, "--out", tmp_path / "first").code == 0
    behind = ("--behind", tmp_path / "first" / "weights.safetensors")
    out = tmp_path / "both"
    outcome = _train("superres", "--jointly", *behind, "--data", pictures, "--out", out)
    assert outcome.code == 0
    assert outcome.out.split() == [
        "weights:", f"{out / 'weights.safetensors'}", "and", f"{out / 'jpeg.safetensors'}",
    ]  # fmt: skip
    assert (out / "jpeg.safetensors").is_file()


def test_options_take_the_place_of_the_presets(tmp_path: Path, pictures: Path) -> None:
    sizes = ("--crop-px", 16, "--minibatch-size", 1, "--maps", 12)
    others = ("--learning-rate", 0.001, "--seed", 5)
    out = tmp_path / "run"
    assert _train("jpeg", "--data", pictures, "--out", out, *sizes, *others).code == 0
    stored = (tmp_path / "run" / "settings.json").read_text()
    for text in (
        '"crop_px": 16',
        '"minibatch_size": 1',
        '"learning_rate": 0.001',
        '"seed": 5',
        '"maps": 12',
    ):
        assert text in stored


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("jpeg", "--adversarial", "--init", "x.safetensors"), 2, "no such stage"),
        (("superres", "--preset", "huge"), 2, "smoke, cpu, gpu"),
        (("superres", "--crop-px", 30), 2, "multiple of 4"),
        (("superres", "--init", "missing.safetensors"), 3, "missing.safetensors"),
        (("superres", "--device", "cuda:99"), 4, "--device cpu"),
        (("superres", "--device", "tpu"), 2, "auto, cpu, cuda"),
        (("superres", "--resume"), 2, "no run to resume"),
        (("superres", "--learning-rate", -1), 2, "learning_rate"),
        (("superres", "--learning-rate", "nan"), 2, "learning_rate"),
        (("superres", "--crop-px", 0), 2, "16 or more"),
        (("jpeg", "--adversarial"), 2, "no such stage"),
        (("superres", "--adversarial", "--init", "x", "--steps", 5), 2, "steps=5: expected more"),
        (("superres", "--adversarial"), 2, "no bundled weights"),
        (("jpeg", "--real-share", 0.5), 2, "--real-share is for superres"),
        (("jpeg", "--behind", "x.safetensors"), 2, "--behind is for superres"),
        (("superres", "--behind", "x.safetensors"), 3, "x.safetensors"),
        (("superres", "--jointly"), 2, "the JPEG net of --behind"),
        (("superres", "--jointly", "--behind", "x.safetensors"), 3, "x.safetensors"),
    ],
)
def test_bad_words_are_refused_and_nothing_is_left(
    tmp_path: Path, pictures: Path, words: tuple[object, ...], code: int, told: str
) -> None:
    out = tmp_path / "run"
    rest = () if "--preset" in words else ("--preset", "smoke")
    outcome = run_main("train-restorer", *words, *rest, "--data", pictures, "--out", out)
    assert outcome.code == code
    assert told in outcome.err
    assert "Traceback" not in outcome.err
    assert not out.exists()


def test_missing_pictures_are_named(tmp_path: Path) -> None:
    outcome = _train("jpeg", "--data", tmp_path / "nowhere", "--out", tmp_path / "run")
    assert outcome.code == 2
    assert "nowhere" in outcome.err
