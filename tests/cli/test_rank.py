"""`pgan-toolkit rank` as a user sees it."""

import csv
import os
import shutil
from pathlib import Path

import pytest
from command_line import run_main

GOOD = ("original", "blur_4", "noise_30")


@pytest.fixture
def pictures(samples: Path, tmp_path: Path) -> Path:
    """A folder of three pictures that can be read."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in GOOD:
        shutil.copy(samples / "img_celeba" / f"{name}.jpg", folder)
    return folder


def test_the_best_is_first_in_the_list(pictures: Path) -> None:
    done = run_main("rank", pictures, "--workers", 1)
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[0][1] == f"{pictures}/original"
    assert {Path(name).name for _, name in lines} == set(GOOD)
    scores = [float(score) for score, _ in lines]
    assert scores == sorted(scores, reverse=True)
    assert "scoring: 3 pictures" in done.err


def test_the_table_has_every_component_and_takes_the_lists_place(
    pictures: Path, tmp_path: Path
) -> None:
    table = tmp_path / "scores.csv"
    done = run_main("rank", pictures, "--csv", table, "--workers", 1, "--quiet")
    assert done == (0, "", "")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["rank"] for row in rows] == ["0", "1", "2"]
    assert list(rows[0])[:3] == ["rank", "name", "score"]
    assert len(rows[0]) > 4
    assert all(float(value) == float(value) for row in rows for value in list(row.values())[2:])


def test_files_and_folders_can_be_mixed_and_workers_change_nothing(
    pictures: Path, samples: Path
) -> None:
    words = [samples / "img_celeba" / "moire.jpg", pictures]
    one, two = (run_main("rank", *words, "--workers", workers) for workers in (1, 2))
    assert one.out == two.out
    assert len(one.out.splitlines()) > 1
    assert (one.code, two.code) == (0, 0)


def test_a_table_is_printed_where_a_dash_is_named(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_main("rank", pictures, "--csv", "scores.csv", "--workers", 1)
    done = run_main("rank", pictures, "--csv", "-", "--workers", 1)
    assert done.out == (tmp_path / "scores.csv").read_text()
    assert not (tmp_path / "-").exists()


def test_quiet_without_a_table_would_show_nothing_and_is_refused(pictures: Path) -> None:
    done = run_main("rank", pictures, "--quiet")
    assert done.code == 2
    assert "name a file for them (--csv FILE)" in done.err


@pytest.mark.parametrize("table", [True, False])
def test_pictures_that_cannot_be_read_are_told_after_the_others(
    pictures: Path, samples: Path, tmp_path: Path, table: bool
) -> None:
    for name in ("truncated", "empty", "not_a_picture"):
        shutil.copy(samples / "img_celeba" / f"{name}.jpg", pictures)
    options = ["--csv", tmp_path / "scores.csv"] if table else []
    done = run_main("rank", pictures, "--workers", 1, *options)
    assert done.code == 3
    shown = (tmp_path / "scores.csv").read_text() if table else done.out
    assert all(f"{pictures}/{name}" in shown for name in GOOD)
    assert done.err.count("error: ") == 1
    assert "3 of 6 pictures could not be scored (the others were)" in done.err
    assert all(f"{name}.jpg" in done.err for name in ("truncated", "empty", "not_a_picture"))


@pytest.mark.parametrize("name", ["truncated", "none"])
def test_one_file_that_cannot_be_read_is_named(samples: Path, name: str) -> None:
    done = run_main("rank", samples / "img_celeba" / f"{name}.jpg", "--workers", 1)
    assert done.code in (2, 3)
    assert f"{name}.jpg" in done.err
    assert "internal error" not in done.err


def test_a_table_that_cannot_be_written_is_told_before_anything_is_scored(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score(*_: object, **__: object) -> None:
        pytest.fail("scored first")

    monkeypatch.setattr("pgan_toolkit.celebahq.rank_pictures", score)
    done = run_main("rank", pictures, "--csv", tmp_path / "typo" / "scores.csv")
    assert done.code == 2
    assert f"there is no folder {tmp_path}/typo" in done.err
    assert not (tmp_path / "typo").exists()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / ".scores.csv"))

    monkeypatch.setattr("pgan_toolkit.storage.atomic.os.open", refuse)
    done = run_main("rank", pictures, "--csv", tmp_path / "scores.csv")
    assert done.code == 4
    assert "Permission denied; choose a place that you may write to" in done.err


def test_an_earlier_table_stays_when_nothing_can_be_ranked(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("old")
    done = run_main("rank", tmp_path / "none", "--csv", tmp_path / "scores.csv")
    assert done.code == 2
    assert (tmp_path / "scores.csv").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


def test_a_name_that_is_no_utf8_is_printed_and_stored_escaped(
    pictures: Path, tmp_path: Path
) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg"))
    shutil.copy(pictures / "original.jpg", odd)
    done = run_main("rank", odd, "--workers", 1, "--quiet", "--csv", tmp_path / "scores.csv")
    assert done == (0, "", "")
    assert rf"{tmp_path}/\xff.jpg" in (tmp_path / "scores.csv").read_text()
    done = run_main("rank", odd, "--workers", 1)
    assert (done.code, done.out.split()[1]) == (0, rf"{tmp_path}/\xff.jpg")


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run_main("rank", tmp_path / "empty", "--workers", 2)
    assert done.code == 3
    assert str(tmp_path / "empty") in done.err
    assert "internal error" not in done.err


def test_nothing_to_rank_is_wrong_usage() -> None:
    assert run_main("rank").code == 2
