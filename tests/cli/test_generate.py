"""`pgan-toolkit generate`: pictures of a run, by seed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import run_main
from tiny_run import SIZE, tiny_generator, tiny_run, tiny_settings

from pgan_toolkit.imaging import decode_image
from pgan_toolkit.storage import open_source
from reference_trainer.runs import RunFolder
from reference_trainer.sampling import latents_of_seeds, to_uint8


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("runs") / "a", kimgs=(0.5, 1.5, 9)).path


def expected(seed: int, *, weights: int = 90) -> np.ndarray:
    """Of the weights of a checkpoint, at the end of the schedule, without the sampler."""
    generator = tiny_generator(tiny_settings(), label_count=0, seed=weights).eval()
    with torch.no_grad():
        images = generator(latents_of_seeds([seed], latent_size=8), resolution=SIZE)
    return to_uint8(images)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize(("name", "kind"), [("fake", "folder"), ("fake.zip", "zip"),
                                            ("fake.h5", "hdf5")])  # fmt: skip
def test_so_many_images_in_any_format(run: Path, tmp_path: Path, name: str, kind: str) -> None:
    done = run_main("generate", run, "--images", 5, "--out", tmp_path / name)
    assert done.code == 0, done.err
    assert f"{tmp_path / name}: 5 pictures of 16x16 from {run}" in done.out
    assert "kimg-000009.000.safetensors" in done.out
    source = open_source(tmp_path / name)
    assert source.format == kind
    assert list(source.keys()) == [f"seed{seed:06d}" for seed in range(5)]
    for seed, record in enumerate(source):
        assert np.array_equal(record.image, expected(seed))


def test_the_format_can_be_said(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "fake"
    done = run_main(
        "generate", run, "--images", 2, "--out", out, "--format", "hdf5-multires", "--quiet"
    )
    assert (done.code, done.out, done.err) == (0, "", "")
    assert open_source(out).format == "hdf5-multires"


def test_the_same_pictures_as_the_run_itself_has(run: Path, tmp_path: Path) -> None:
    assert run_main("generate", run, "--seeds", "40-42,7", "--out", tmp_path / "fake").code == 0
    source = open_source(run)
    for record in open_source(tmp_path / "fake"):
        assert np.array_equal(record.image, source[int(record.key[4:])].image)


def test_seeds_in_a_row_begin_where_told(run: Path, tmp_path: Path) -> None:
    assert run_main("generate", run, "--images", 2, "--seed", 30, "--out", tmp_path / "a").code == 0
    assert list(open_source(tmp_path / "a").keys()) == ["seed000030", "seed000031"]


def test_a_grid(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "grid.png"
    assert run_main("generate", run, "--grid", "3x2", "--seed", 4, "--out", out).code == 0
    page = decode_image(out.read_bytes(), name="grid")
    assert page.shape == (2 * SIZE, 3 * SIZE, 3)
    assert np.array_equal(page[SIZE:, SIZE : 2 * SIZE], expected(8))
    chosen = run_main(
        "generate", run, "--grid", "1x2", "--seeds", "9,2", "--out", out, "--overwrite"
    )
    assert chosen.code == 0
    page = decode_image(out.read_bytes(), name="grid")
    assert np.array_equal(page, np.concatenate([expected(9), expected(2)]))


def test_a_checkpoint_can_be_chosen_and_a_growing_run_has_its_final_size(
    run: Path, tmp_path: Path
) -> None:
    older = RunFolder(run).checkpoint(1.5)
    out = tmp_path / "fake"
    done = run_main("generate", run, "--images", 1, "--checkpoint", older, "--out", out)
    assert done.code == 0, done.err
    generator = tiny_generator(tiny_settings(), label_count=0, seed=15).eval()
    with torch.no_grad():
        images = generator(latents_of_seeds([0], latent_size=8), resolution=8, alpha=0.5)
    small = to_uint8(images)[0].permute(1, 2, 0).numpy()
    assert np.array_equal(open_source(out)[0].image, small.repeat(2, axis=0).repeat(2, axis=1))


def test_classes(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", label_count=3).path
    assert run_main("generate", run, "--images", 4, "--out", tmp_path / "all").code == 0
    turns = list(open_source(tmp_path / "all"))
    assert [record.label for record in turns] == [0, 1, 2, 0]
    done = run_main("generate", run, "--images", 4, "--label", 1, "--out", tmp_path / "one")
    assert done.code == 0
    ones = list(open_source(tmp_path / "one"))
    assert {record.label for record in ones} == {1}
    same = [np.array_equal(a.image, b.image) for a, b in zip(turns, ones, strict=True)]
    assert same == [False, True, False, False]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "say what to draw: --images N, --seeds 0-31 or --grid 8x4"),
        (["--images", "0"], 2, "--images"),
        (["--images", "2", "--grid", "2x1"], 2, "--images: give it alone"),
        (["--images", "2", "--seeds", "1"], 2, "--images: give it alone"),
        (["--seeds", "1", "--seed", "2"], 2, "--seeds names all"),
        (["--seeds", "5-2"], 2, "runs backwards; write 2-5"),
        (["--grid", "8by4"], 2, "expected columns and rows, such as 8x4"),
        (["--grid", "2x2"], 2, "give it the extension .png"),
        (["--grid", "2x2", "--seeds", "1-3"], 2, "4 pictures, and --seeds has 3"),
        (["--grid", "2x2", "--format", "zip"], 2, "the grid is a PNG file; leave it out"),
        (["--images", "2", "--label", "0"], 2, "a run without labels"),
        (["--images", "2", "--device", "tpu"], 2, "expected auto, cpu, cuda"),
        (["--images", "2", "--checkpoint", "gone.safetensors"], 3, "gone.safetensors"),
    ],
)
def test_bad_words_are_refused(
    run: Path, tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    done = run_main("generate", run, *words, "--out", tmp_path / "fake")
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_replaced_only_when_told(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "fake"
    assert run_main("generate", run, "--images", 1, "--out", out).code == 0
    done = run_main("generate", run, "--images", 2, "--out", out)
    assert done.code == 2
    assert "exists already" in done.err
    assert len(open_source(out)) == 1
    assert run_main("generate", run, "--images", 2, "--out", out, "--overwrite").code == 0
    assert len(open_source(out)) == 2


@pytest.mark.parametrize(("option", "name"), [("--images", "a.zip"), ("--grid", "a.png")])
def test_what_exists_is_told_before_the_run_is_opened(
    tmp_path: Path, option: str, name: str
) -> None:
    (tmp_path / name).write_bytes(b"mine")
    count = "2x1" if option == "--grid" else "2"
    done = run_main("generate", tmp_path / "gone", option, count, "--out", tmp_path / name)
    assert done.code == 2
    assert f"{name}: exists already" in done.err
    assert (tmp_path / name).read_bytes() == b"mine"


def test_folders_that_are_no_runs_are_told(tmp_path: Path) -> None:
    for folder in (tmp_path / "gone", tmp_path):
        done = run_main("generate", folder, "--images", 1, "--out", tmp_path / "fake")
        assert (done.code, done.out) == (3, "")
        assert str(folder) in done.err
        assert "name the folder" in done.err


def test_a_run_without_a_checkpoint_is_told(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", kimgs=()).path
    for words in (["generate", run, "--images", 1, "--out", tmp_path / "fake"],
                  ["data", "inspect", run]):  # fmt: skip
        done = run_main(*words)
        assert (done.code, done.out) == (3, "")
        assert f"{run}: the run has no checkpoint yet" in done.err
        assert f"pgan-toolkit train --resume {run}" in done.err


def test_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    folder = tiny_run(tmp_path / "run")
    path = folder.checkpoint(9)
    path.write_bytes(path.read_bytes()[:-50])
    for words in (["generate", folder.path, "--images", 1, "--out", tmp_path / "fake"],
                  ["data", "inspect", folder.path]):  # fmt: skip
        done = run_main(*words)
        assert done.code == 3
        assert str(path) in done.err
    assert not (tmp_path / "fake").exists()
