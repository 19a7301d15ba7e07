from pathlib import Path

import numpy as np
import pytest
from command_line import run_main
from tiny_mnist import write_tiny_mnist

from pgan_toolkit.storage import open_source


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_mnist(tmp_path_factory.mktemp("mnist"))


def _stack(mnist: Path, out: Path, *words: object):
    return run_main("data", "stacked-mnist", "--src", mnist, "--out", out, *words)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_set_is_made_with_labels(tmp_path: Path, mnist: Path, split: str) -> None:
    out = tmp_path / "stacked.zip"
    outcome = _stack(mnist, out, "--images", 12, "--size", 32, "--split", split)
    assert (outcome.code, outcome.out) == (0, f"{out}: 12 pictures of 32x32 as zip\n")
    assert "stacking: 12 pictures" in outcome.err
    source = open_source(out)
    assert len(source) == 12
    for record in source:
        rows = [int(record.image[:, 10, channel].argmax()) for channel in range(3)]
        classes = [(row - 2 - 4) // 2 for row in rows]
        assert record.label == classes[0] + 10 * classes[1] + 100 * classes[2]


def test_seeds_make_sets_again_in_any_format(tmp_path: Path, mnist: Path) -> None:
    for name, words in {"a.h5": (), "b": (), "c": ("--seed", 1)}.items():
        assert _stack(mnist, tmp_path / name, "--images", 5, "--quiet", *words).code == 0
    a, b, c = (open_source(tmp_path / name) for name in ("a.h5", "b", "c"))
    assert list(a.labels()) == list(b.labels()) != list(c.labels())
    assert all(np.array_equal(x.image, y.image) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--images", 0), 2, "--images"),
        (("--size", 30), 2, "--size"),
        (("--format", "hdf5-multires"), 3, "28"),
    ],
)
def test_bad_words_are_refused_and_nothing_is_left(
    tmp_path: Path, mnist: Path, words: tuple[object, ...], code: int, told: str
) -> None:
    outcome = _stack(mnist, tmp_path / "out", *words)
    assert outcome.code == code
    assert told in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_an_existing_set_stays_unless_told_otherwise(tmp_path: Path, mnist: Path) -> None:
    out = tmp_path / "stacked.zip"
    assert _stack(mnist, out, "--images", 2).code == 0
    assert _stack(mnist, out, "--images", 3).code == 2
    assert len(open_source(out)) == 2
    assert _stack(mnist, out, "--images", 3, "--overwrite").code == 0
    assert len(open_source(out)) == 3


def test_a_folder_without_mnist_is_refused(tmp_path: Path) -> None:
    outcome = _stack(tmp_path, tmp_path / "out.zip")
    assert outcome.code == 3
    assert "train-images-idx3-ubyte" in outcome.err
