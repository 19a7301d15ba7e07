"""The command `data`, run as a user runs it: arguments in, text and exit code out."""

import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL.Image
import pytest
from pgan_cli.main import main

from pgan_toolkit.storage import open_source


class Outcome(NamedTuple):
    code: object
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str | Path) -> Outcome:
        words = ["pgan-toolkit", "data", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as stop:
            main()
        shown = capsys.readouterr()
        return Outcome(stop.value.code, shown.out, shown.err)

    return run


def png(seed: int, size: int = 8) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    folder = tmp_path / "faces"
    folder.mkdir()
    for index in range(5):
        (folder / f"{index:03d}.png").write_bytes(png(index))
    (folder / "dataset.json").write_bytes(b'{"labels": [["001.png", 4]]}')
    (folder / "notes.txt").write_bytes(b"")
    return folder


def keys(path: Path) -> Sequence[str]:
    return open_source(path).keys()


def test_inspect_says_what_is_there(run: Run, faces: Path) -> None:
    done = run("inspect", faces)
    assert done.code == 0
    assert "folder" in done.out
    assert "8x8 5 (100.0 %)" in done.out
    assert "lossless 5 (100.0 %)" in done.out
    assert "1 class: class 4 1 (100.0 %); 4 without" in done.out
    assert "1 file: notes.txt" in done.out
    assert "000, 001, 002" in done.out
    assert "inspecting: 5 pictures" in done.err


def test_inspect_as_json(run: Run, faces: Path) -> None:
    done = run("inspect", faces, "--json", "--quiet")
    assert done.err == ""
    found = json.loads(done.out)
    assert found["count"] == 5
    assert found["labels"] == {"4": 1}
    assert found["sizes"] == {"8x8": 5}
    assert found["ignored"] == ["notes.txt"]


def test_verify_passes_a_whole_set(run: Run, faces: Path) -> None:
    done = run("verify", faces, "--quiet")
    assert (done.code, done.err) == (0, "")
    assert "5 of 5 are good (decoded)" in done.out


def test_verify_lists_all_damage_and_exits_1(run: Run, faces: Path) -> None:
    (faces / "001.png").write_bytes(png(1)[:-40])
    (faces / "003.png").write_bytes(b"")
    (faces / "004.png").write_bytes(png(0))
    done = run("verify", faces)
    assert done.code == 1
    assert done.out.count("damaged: ") == 2
    assert "001.png" in done.out
    assert "003.png" in done.out
    assert "identical pixels: 000, 004" in done.out
    assert "2 of 5 pictures damaged" in done.err


def test_verify_recognises_a_celeba_download(run: Run, tmp_path: Path) -> None:
    parts = tmp_path / "Img" / "img_celeba.7z"
    parts.mkdir(parents=True)
    for number, size in (("001", 734_003_200), ("014", 10)):
        with (parts / f"img_celeba.7z.{number}").open("wb") as part:
            os.truncate(part.fileno(), size)
    done = run("verify", tmp_path, "--quick")
    assert done.code == 1
    assert "2 of 37 files are here, 1 of them good (by their sizes)" in done.out
    assert "img_celeba.7z.014: 10 bytes, expected 649,030,866 (cut short)" in done.out
    assert "not here: Anno/list_landmarks_celeba.txt" in done.out
    assert "1 file of celeba wrong" in done.err


def test_verify_takes_others_in_celebas_layout_for_their_own(run: Run, faces: Path) -> None:
    (faces / "Anno").mkdir()
    (faces / "Anno" / "list_landmarks_celeba.txt").write_text("5\n")
    done = run("verify", faces)
    assert done.code == 0
    assert "note: Anno/list_landmarks_celeba.txt is not CelebA's own file" in done.out


def test_verify_with_a_manifest_of_ones_own(run: Run, faces: Path, tmp_path: Path) -> None:
    named = {"name": "me", "url": "https://example.org"}
    content = {
        "format": "pgan-toolkit manifest",
        "version": 1,
        "name": "mine",
        "kind": "download",
        "title": "My files",
        "source": named,
        "licence": named,
        "counts": {},
        "files": [{"path": "notes.txt", "bytes": 0, "md5": "d41d8cd98f00b204e9800998ecf8427e"}],
    }
    (tmp_path / "mine.json").write_text(json.dumps(content))
    done = run("verify", faces, "--manifest", tmp_path / "mine.json")
    assert done.code == 0
    assert "1 of 1 files are here, 1 of them good (by their digests)" in done.out
    assert "5 of 5 are good" in done.out


def test_verify_refuses_a_list_and_an_unknown_manifest(run: Run, faces: Path) -> None:
    assert run("verify", faces, "--manifest", "celeba_hq").code == 2
    done = run("verify", faces, "--manifest", "celebb")
    assert done.code == 2
    assert "celeba, celeba_hq" in done.err


def test_verify_says_when_nothing_of_the_manifest_is_there(run: Run, faces: Path) -> None:
    done = run("verify", faces, "--manifest", "celeba", "--quiet")
    assert done.code == 1
    assert "holds none of the files of celeba" in done.err


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("out", [], "folder"),
        ("out.zip", [], "zip"),
        ("out.h5", [], "hdf5"),
        ("out.h5", ["--format", "hdf5-multires"], "hdf5-multires"),
    ],
)
def test_convert_to_every_format(
    run: Run, faces: Path, tmp_path: Path, name: str, options: list[str], expected: str
) -> None:
    out = tmp_path / name
    done = run("convert", faces, out, *options, "--quiet")
    assert (done.code, done.err) == (0, "")
    assert f"5 pictures as {expected}" in done.out
    made = open_source(out)
    assert made.format == expected
    assert made.keys() == keys(faces)
    assert made.labels() == (None, 4, None, None, None)


def test_convert_refuses_an_existing_target(run: Run, faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.zip"
    assert run("convert", faces, out).code == 0
    before = out.read_bytes()
    done = run("convert", faces, out)
    assert done.code == 2
    assert "--overwrite" in done.err
    assert run("convert", faces, out, "--overwrite").code == 0
    assert out.read_bytes() == before


def test_convert_stops_at_a_damaged_picture_and_leaves_nothing(
    run: Run, faces: Path, tmp_path: Path
) -> None:
    (faces / "003.png").write_bytes(png(3)[:-40])
    done = run("convert", faces, tmp_path / "out.zip")
    assert done.code == 3
    assert "003.png" in done.err
    assert "stopped after 3 pictures of 5" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["faces"]


def test_convert_leaves_damaged_pictures_out_where_it_is_asked_to(
    run: Run, faces: Path, tmp_path: Path
) -> None:
    (faces / "003.png").write_bytes(png(3)[:-40])
    out = tmp_path / "out.zip"
    done = run("convert", faces, out, "--skip-bad")
    assert done.code == 0
    assert "left out: " in done.err
    assert "003.png" in done.err
    assert "4 pictures as zip\nleft out: 1 damaged picture" in done.out
    made = open_source(out)
    assert made.keys() == tuple(key for key in keys(faces) if key != "003")
    assert made.labels() == (None, 4, None, None)


def test_convert_does_not_make_a_set_of_no_pictures(run: Run, faces: Path, tmp_path: Path) -> None:
    for path in faces.rglob("*.png"):
        path.write_bytes(b"no picture")
    done = run("convert", faces, tmp_path / "out.zip", "--skip-bad")
    assert done.code == 3
    assert "none of 5 pictures can be read" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["faces"]


def test_show_draws_a_sheet(run: Run, faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    done = run("show", faces, "--out", out, "--count", "4", "--columns", "2", "--tile", "32")
    assert done.code == 0
    assert "4 of 5 pictures" in done.out
    with PIL.Image.open(out) as sheet:
        assert sheet.width == 2 * 12 + 2 * 32 + 8
        assert sheet.height > 2 * 32


def test_show_is_the_same_for_a_seed_and_takes_keys(run: Run, faces: Path, tmp_path: Path) -> None:
    sheets = []
    for choice in (["--seed", "1"], ["--seed", "1"], ["--first"], ["--keys", "000,001"]):
        out = tmp_path / "sheet.png"
        assert run("show", faces, "--out", out, "--count", "2", "--overwrite", *choice).code == 0
        sheets.append(out.read_bytes())
    assert sheets[0] == sheets[1]
    assert sheets[2] == sheets[3]


def test_show_marks_damaged_pictures(run: Run, faces: Path, tmp_path: Path) -> None:
    (faces / "000.png").write_bytes(b"")
    done = run("show", faces, "--out", tmp_path / "sheet.png")
    assert done.code == 0
    assert "damaged:" in done.err


def test_show_refuses_unknown_keys_existing_files_and_other_extensions(
    run: Run, faces: Path, tmp_path: Path
) -> None:
    done = run("show", faces, "--out", tmp_path / "sheet.png", "--keys", "gone")
    assert done.code == 2
    assert "keys look like '000'" in done.err
    assert run("show", faces, "--out", tmp_path / "sheet.jpg").code == 2
    (tmp_path / "sheet.png").write_bytes(b"mine")
    assert run("show", faces, "--out", tmp_path / "sheet.png").code == 2
    assert (tmp_path / "sheet.png").read_bytes() == b"mine"


@pytest.mark.parametrize("command", ["inspect", "verify", "convert", "show"])
def test_every_command_has_help_with_an_example(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert done.code == 0
    assert f"pgan-toolkit data {command} " in done.out
    assert "--quiet" in done.out


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        ("gone", 2, "no such file or folder"),
        ("s3://me@bucket/faces", 2, "s3://bucket/faces: the URL holds a user or a password"),
        ("empty", 3, "the folder is empty"),
    ],
)
def test_bad_sources_are_told_in_one_line(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    code: int,
    message: str,
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    for command in ("inspect", "verify"):
        done = run(command, source)
        assert done.code == code
        assert message in done.err
        assert done.err.startswith("error: ")
        assert done.err.count("\n") == 1
