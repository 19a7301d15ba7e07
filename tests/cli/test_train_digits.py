from pathlib import Path

import pytest
from command_line import run_main
from tiny_mnist import write_tiny_mnist


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_mnist(tmp_path_factory.mktemp("mnist"))


def test_a_run_says_where_its_weights_are_and_how_good(tmp_path: Path, mnist: Path) -> None:
    words = ("train-digits", "--data", mnist, "--out", tmp_path / "run", "--epochs", 1)
    more = ("--minibatch-size", 16, "--validation", 8, "--device", "cpu", "--seed", 3)
    outcome = run_main(*words, *more)
    assert outcome.code == 0
    assert f"weights:    {tmp_path / 'run' / 'digits.safetensors'}" in outcome.out
    assert "of 20 digits)" in outcome.out
    assert "training: 2 steps" in outcome.err
    assert '"seed": 3' in (tmp_path / "run" / "log.jsonl").read_text()
    again = run_main(*words, *more)
    assert again.code == 2
    assert "holds a run already" in again.err


def test_a_learning_rate_that_is_too_high_is_named(tmp_path: Path, mnist: Path) -> None:
    words = ("train-digits", "--data", mnist, "--out", tmp_path / "run", "--epochs", 1)
    more = ("--minibatch-size", 4, "--validation", 8, "--device", "cpu", "--learning-rate", 1e12)
    outcome = run_main(*words, *more)
    assert outcome.code == 3
    assert "with --learning-rate 1e+12: begin another run with a lower one" in outcome.err
    assert not (tmp_path / "run" / "digits.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--validation", 40), 2, "leaves 0 of 40"),
        (("--learning-rate", -1), 2, "learning_rate"),
        (("--device", "tpu"), 2, "auto, cpu, cuda"),
        (("--device", "cuda:99"), 4, "--device cpu"),
        (("--epochs", 0), 2, "--epochs"),
    ],
)
def test_bad_words_are_refused_and_nothing_is_left(
    tmp_path: Path, mnist: Path, words: tuple[object, ...], code: int, told: str
) -> None:
    out = tmp_path / "run"
    outcome = run_main("train-digits", "--data", mnist, "--out", out, *words)
    assert outcome.code == code
    assert told in outcome.err
    assert not out.exists()


def test_missing_files_are_named(tmp_path: Path) -> None:
    outcome = run_main("train-digits", "--data", tmp_path, "--out", tmp_path / "run")
    assert outcome.code == 3
    assert "train-images-idx3-ubyte" in outcome.err
