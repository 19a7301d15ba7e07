"""`pgan-toolkit interpolate` and `timelapse`: films of a run, read back."""

from pathlib import Path

import av
import numpy as np
import pytest
from command_line import run_main
from tiny_run import tiny_run

from pgan_toolkit.errors import DataError
from reference_trainer.sampling import latent_walk, open_sampler, walk_frames


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("runs") / "a", kimgs=(0.5, 1.5, 9)).path


def shown(path: Path) -> tuple[int, list[np.ndarray]]:
    """Frames a second, and all frames."""
    with av.open(str(path)) as film:
        rate = int(film.streams.video[0].average_rate)
        return rate, [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


@pytest.mark.parametrize("name", ["walk.mp4", "walk.webm"])
def test_a_walk(run: Path, tmp_path: Path, name: str) -> None:
    done = run_main(
        "interpolate", run, "--seconds", 0.5, "--fps", 20, "--grid", "2x1", "--crf", 4,
        "--smoothing-seconds", 0.1, "--seed", 3, "--out", tmp_path / name,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert f"{tmp_path / name}: 10 frames, 0.5 s, from {run}" in done.out
    rate, frames = shown(tmp_path / name)
    assert (rate, len(frames)) == (20, 10)
    ways = latent_walk(10, walkers=2, latent_size=8, sigma_frames=2.0, seed=3)
    for got, made in zip(frames, walk_frames(open_sampler(run), ways, columns=2), strict=True):
        assert got.shape == made.shape == (256, 512, 3)
        # colour is stored for pairs of pixels; whole replicated pixels keep theirs
        assert np.abs(got.astype(int) - made).mean() < 6


def test_a_named_checkpoint_is_enough(tmp_path: Path) -> None:
    folder = tiny_run(tmp_path / "run")
    elsewhere = folder.checkpoint(9).rename(tmp_path / "elsewhere.safetensors")
    assert open_sampler(folder.path, checkpoint=elsewhere).info.name == str(elsewhere)
    with pytest.raises(DataError, match="gone: no such folder"):
        open_sampler(tmp_path / "gone", checkpoint=elsewhere)


def test_the_paper_is_the_default(run: Path, tmp_path: Path) -> None:
    done = run_main("interpolate", run, "--seconds", 0.75, "--out", tmp_path / "a.mp4", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    rate, frames = shown(tmp_path / "a.mp4")
    assert (rate, len(frames), frames[0].shape) == (60, 45, (288, 384, 3))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--out", "walk.avi"], 2, ".mp4 or .webm"),
        (["--out", "walk.mp4", "--fps", "0"], 2, "fps=0: expected 1 to 240"),
        (["--out", "walk.mp4", "--crf", "99"], 2, "crf=99"),
        (["--out", "walk.mp4", "--seconds", "0"], 2, "--seconds"),
        (["--out", "walk.mp4", "--seconds", "nan"], 2, "nan seconds of 60"),
        (["--out", "walk.mp4", "--seconds", "0.01"], 2, "expected 2 to 1,000,000 frames"),
        (["--out", "walk.mp4", "--smoothing-seconds", "-1"], 2, "--smoothing-seconds"),
        (["--out", "walk.mp4", "--smoothing-seconds", "1e7"], 2, "smooth less"),
        (["--out", "walk.mp4", "--grid", "4"], 2, "such as 8x4"),
        (["--out", "walk.mp4", "--label", "1"], 2, "a run without labels"),
    ],
)
def test_bad_words_are_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int,
    said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    done = run_main("interpolate", run, *words)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["interpolate", "timelapse"])
def test_films_of_no_run(tmp_path: Path, command: str) -> None:
    done = run_main(command, tmp_path / "gone", "--out", tmp_path / "a.mp4")
    assert done.code == 3
    assert "no such folder; name the folder of a run" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["interpolate", "timelapse"])
def test_an_existing_film_is_kept(run: Path, tmp_path: Path, command: str) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    done = run_main(command, run, "--out", path)
    assert done.code == 2
    assert "exists already" in done.err
    assert path.read_bytes() == b"old"


def test_a_timelapse(run: Path, tmp_path: Path) -> None:
    done = run_main("timelapse", run, "--out", tmp_path / "a.mp4")
    assert done.code == 0, done.err
    assert f"{tmp_path / 'a.mp4'}: 3 frames, 0.5 to 9 kimg" in done.out
    rate, frames = shown(tmp_path / "a.mp4")
    assert (rate, len(frames)) == (10, 3)
    assert frames[0].shape[1] == 512
    for frame, kimg in zip(frames, (0.5, 1.5, 9), strict=True):
        assert np.abs(frame[-200:].astype(int) - int(kimg * 20)).max() <= 4
        assert frame[2].min() > 240


def test_a_timelapse_of_a_length(run: Path, tmp_path: Path) -> None:
    done = run_main("timelapse", run, "--seconds", 1, "--fps", 12, "--out", tmp_path / "a.webm")
    assert done.code == 0, done.err
    rate, frames = shown(tmp_path / "a.webm")
    assert (rate, len(frames)) == (12, 12)
    levels = [int(frame[-100, 100, 0]) for frame in frames]
    assert np.abs(np.array(levels) - np.repeat([10, 30, 180], 4)).max() <= 4


def test_a_run_without_pictures_has_no_timelapse(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", kimgs=(9,)).path
    done = run_main("timelapse", run, "--out", tmp_path / "a.mp4")
    assert done.code == 3
    assert "1 saved grids" in done.err
