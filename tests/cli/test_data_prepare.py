"""The command `data prepare`, run as a user runs it."""

import pickle
from pathlib import Path
from unittest import mock

import numpy as np
import PIL.Image
import pytest
from command_line import Outcome, run_main
from pgan_cli.data_prepare import RECIPE_NAMES
from tiny_mnist import write_tiny_mnist

from pgan_toolkit.recipes import RECIPES
from pgan_toolkit.recipes.pictures import ArrayPictures
from pgan_toolkit.storage import open_source


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A little of everything, in the published layouts."""
    folder = tmp_path_factory.mktemp("sources")
    write_tiny_mnist(folder / "mnist")
    random = np.random.default_rng(0)
    for name, (height, width) in {"celeba": (218, 178), "lsun": (256, 300)}.items():
        place = folder / name / ("img_align_celeba" if name == "celeba" else "")
        place.mkdir(parents=True)
        for index in range(3):
            pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
            PIL.Image.fromarray(pixels).save(place / f"{index + 1:06d}.png")
    (folder / "cifar10").mkdir()
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        data = random.integers(0, 256, (4, 3072), dtype=np.uint8)
        content = {"labels": [3, 1, 4, 1], "data": data}
        (folder / "cifar10" / name).write_bytes(pickle.dumps(content, protocol=2))
    return folder


def _prepare(sources: Path, name: str, out: Path, *words: object) -> Outcome:
    return run_main(
        "data", "prepare", name, "--src", sources / name, "--out", out, "--workers", 1, *words
    )


@pytest.mark.parametrize(
    ("name", "count", "size", "labels"),
    [
        ("celeba", 3, 128, (None,) * 3),
        ("cifar10", 20, 32, (3, 1, 4, 1) * 5),
        ("lsun", 3, 256, (None,) * 3),
        ("mnist", 40, 28, tuple(range(10)) * 4),
    ],
)
def test_every_recipe_makes_its_set(
    sources: Path, tmp_path: Path, name: str, count: int, size: int, labels: tuple[int, ...]
) -> None:
    out = tmp_path / "out.zip"
    outcome = _prepare(sources, name, out, "--no-verify")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0] == f"{out}: {count} pictures of {size}x{size} as zip"
    assert lines[1].startswith("checked: nothing")
    assert f"preparing: {count} pictures" in outcome.err
    made = open_source(out)
    assert {record.image.shape for record in made} == {(size, size, 3)}
    assert made.labels() == labels
    again = tmp_path / "again.zip"
    assert _prepare(sources, name, again, "--no-verify", "--quiet").err == ""
    assert again.read_bytes() == out.read_bytes()


def test_options_choose_size_split_number_and_format(sources: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    words = ("--no-verify", "--size", 32, "--split", "test", "--images", 7)
    outcome = _prepare(sources, "mnist", out, *words, "--format", "hdf5-multires")
    assert outcome.out.startswith(f"{out}: 7 pictures of 32x32 as hdf5-multires\n")
    assert open_source(out).labels() == tuple(range(7))


def test_files_that_are_not_the_published_ones_are_refused(sources: Path, tmp_path: Path) -> None:
    for name in ("celeba", "cifar10", "mnist"):
        outcome = _prepare(sources, name, tmp_path / "out.zip")
        assert outcome.code == 1, name
        assert "expected" in outcome.err
        assert "--no-verify" in outcome.err
        assert "http" in outcome.err
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "words", "code", "told"),
    [
        ("imagenet", (), 2, "celeba"),
        ("mnist", ("--size", 30), 2, "28, 32"),
        ("mnist", ("--split", "all"), 2, "train, test"),
        ("lsun", ("--split", "train"), 2, "no splits"),
        ("celeba", ("--split", "train"), 3, "list_eval_partition.txt"),
        ("celeba", ("--images", 0), 2, "--images"),
        ("mnist", ("--format", "hdf5-multires"), 3, "28"),
    ],
)
def test_bad_words_are_refused_and_nothing_is_left(
    sources: Path, tmp_path: Path, name: str, words: tuple[object, ...], code: int, told: str
) -> None:
    outcome = _prepare(sources, name, tmp_path / "out.h5", "--no-verify", *words)
    assert outcome.code == code
    assert told in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", RECIPE_NAMES)
def test_wrong_sources_are_told_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    for source, code in (("gone", 2), ("empty", 3)):
        outcome = run_main(
            "data", "prepare", name, "--src", tmp_path / source, "--out", tmp_path / "out"
        )
        assert outcome.code == code, outcome.err
        assert outcome.err.startswith(f"error: {tmp_path / source}: ")
        assert outcome.err.count("\n") == 1
        assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_hostile_pickle_is_refused(sources: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    hostile = f"cos\nsystem\n(S'touch {trace}'\ntR.".encode()
    source = tmp_path / "cifar"
    source.mkdir()
    for number in range(1, 6):
        (source / f"data_batch_{number}").write_bytes(hostile)
    outcome = run_main(
        "data", "prepare", "cifar10", "--src", source, "--out", tmp_path / "out", "--no-verify"
    )
    assert outcome.code == 3
    assert f"{source / 'data_batch_1'}: refused as a pickle" in outcome.err
    assert not trace.exists()


@pytest.mark.parametrize("name", ["out.zip", "out.h5", "out"])
def test_an_interruption_leaves_nothing(sources: Path, tmp_path: Path, name: str) -> None:
    with mock.patch.object(ArrayPictures, "_make", side_effect=_third_is_interrupted()):
        outcome = _prepare(sources, "cifar10", tmp_path / name, "--no-verify")
    assert outcome.code == 130
    assert "stopped after 2 pictures of 20" in outcome.err
    assert list(tmp_path.iterdir()) == []


def _third_is_interrupted():
    image = np.zeros((32, 32, 3), np.uint8)
    return [(image, 0), (image, 1), KeyboardInterrupt]


def test_damaged_pictures_stop_or_are_left_out(sources: Path, tmp_path: Path) -> None:
    source = tmp_path / "lsun"
    source.mkdir()
    for path in (sources / "lsun").iterdir():
        (source / path.name).write_bytes(path.read_bytes()[: -1000 * ("2" in path.name) or None])
    out = tmp_path / "out.zip"
    outcome = _prepare(tmp_path, "lsun", out)
    assert outcome.code == 3
    assert "000002.png" in outcome.err
    assert not out.exists()
    outcome = _prepare(tmp_path, "lsun", out, "--skip-bad")
    assert outcome.code == 0
    assert "left out: 1 damaged picture\n" in outcome.out
    assert "000002.png" in outcome.err
    assert open_source(out).keys() == ("000001", "000003")


def test_an_existing_set_stays_unless_told_otherwise(sources: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.zip"
    words = ("--no-verify", "--images")
    assert _prepare(sources, "mnist", out, *words, 2).code == 0
    assert _prepare(sources, "mnist", out, *words, 3).code == 2
    assert len(open_source(out)) == 2
    assert _prepare(sources, "mnist", out, *words, 3, "--overwrite").code == 0
    assert len(open_source(out)) == 3


def test_the_help_names_all_recipes() -> None:
    outcome = run_main("data", "prepare", "--help")
    assert tuple(sorted(RECIPES)) == RECIPE_NAMES
    assert all(name in outcome.out for name in RECIPE_NAMES)
    assert "--quiet" in outcome.out


@pytest.mark.shared_data
def test_the_published_digits_pass(shared_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "digits.zip"
    outcome = run_main(
        "data", "prepare", "mnist", "--src", shared_data / "mnist", "--out", out,
        "--split", "test", "--images", 100,
    )  # fmt: skip
    assert outcome.code == 0
    assert "checked: 2 files by the published size and sha256" in outcome.out
