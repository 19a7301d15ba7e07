"""Scoring any pictures: what comes first, what cannot be read, and datasets of every format."""

import csv
import os
import shutil
from pathlib import Path

import PIL.Image
import pytest

from pgan_toolkit.celebahq import Ranking, UnreadablePicture, quality_score, rank_pictures
from pgan_toolkit.errors import PganError
from pgan_toolkit.imaging import decode_image
from pgan_toolkit.storage import Record, open_sink

NAMES = ("original", "blur_2", "blur_4", "noise_30")


@pytest.fixture
def folder(samples: Path, tmp_path: Path) -> Path:
    made = tmp_path / "pictures"
    made.mkdir()
    for name in NAMES:
        shutil.copy(samples / "img_celeba" / f"{name}.jpg", made)
    return made


def _rank(*paths: Path, workers: int = 1) -> Ranking:
    return rank_pictures(paths, workers=workers, mode="quiet")


def _names(ranking: Ranking) -> list[str]:
    return [Path(picture.name).stem for picture in ranking.pictures]


def test_scores_are_those_of_the_pixels_best_first(folder: Path) -> None:
    ranking = _rank(folder)
    expected = {
        name: quality_score(decode_image((folder / f"{name}.jpg").read_bytes(), name=name))
        for name in NAMES
    }
    assert _names(ranking) == sorted(NAMES, key=lambda name: -expected[name])
    assert {Path(p.name).name: p.quality.score for p in ranking.pictures} == expected
    assert ranking.unreadable == ()
    assert _names(ranking)[0] == "original"


def test_equal_scores_go_by_name_and_workers_change_nothing(folder: Path) -> None:
    for name in ("b", "a", "c"):
        shutil.copy(folder / "original.jpg", folder / f"{name}.jpg")
    ranking = _rank(folder)
    assert _names(ranking)[:4] == ["a", "b", "c", "original"]
    assert _rank(folder, workers=2) == ranking


def test_files_and_datasets_of_any_format_are_taken(folder: Path, tmp_path: Path) -> None:
    image = decode_image((folder / "original.jpg").read_bytes(), name="original")
    places = [folder / "original.jpg"]
    for name in ("set.zip", "set.h5"):
        with open_sink(tmp_path / name) as sink:
            sink.write(Record("sub/face", image))
        places.append(tmp_path / name)
    ranking = _rank(*places)
    assert len({picture.quality for picture in ranking.pictures}) == 1
    names = {picture.name for picture in ranking.pictures}
    assert {str(places[0]), f"{places[1]}/sub/face"} <= names
    assert len(names) == 3


def test_pictures_that_cannot_be_scored_are_apart_with_the_reason(
    folder: Path, samples: Path
) -> None:
    for name in ("truncated", "empty", "not_a_picture"):
        shutil.copy(samples / "img_celeba" / f"{name}.jpg", folder)
    PIL.Image.new("RGB", (1, 1)).save(folder / "one_pixel.png")
    ranking = _rank(folder)
    assert sorted(_names(ranking)) == sorted(NAMES)
    reasons = {Path(p.name).name: p.reason for p in ranking.unreadable}
    assert sorted(reasons) == ["empty", "not_a_picture", "one_pixel", "truncated"]
    assert all(f"/{name}" in reason for name, reason in reasons.items())


@pytest.mark.parametrize("workers", [1, 2])
def test_names_that_are_no_utf8_are_escaped(folder: Path, workers: int) -> None:
    good, bad = (
        Path(os.fsdecode(os.fsencode(folder) + name)) for name in (b"/g\xe9.jpg", b"/b\xe9.jpg")
    )
    shutil.copy(folder / "original.jpg", good)
    bad.write_bytes(b"no picture")
    ranking = _rank(good, bad, workers=workers)
    assert [picture.name for picture in ranking.pictures] == [rf"{folder}/g\xe9.jpg"]
    assert [picture.name for picture in ranking.unreadable] == [rf"{folder}/b\xe9.jpg"]
    assert r"b\xe9.jpg" in ranking.unreadable[0].reason
    ranking.to_csv().encode()
    ranking.unreadable[0].reason.encode()


def test_one_picture_that_cannot_be_read_is_a_result(samples: Path) -> None:
    (missing,) = _rank(samples / "img_celeba" / "empty.jpg").unreadable
    assert isinstance(missing, UnreadablePicture)
    assert "empty.jpg" in missing.reason


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_no_picture_and_no_dataset_is_refused_by_name(tmp_path: Path, workers: int) -> None:
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    for name in ("text.txt", "empty", "none", "pipe.jpg"):
        with pytest.raises(PganError, match=name):
            _rank(tmp_path / name, workers=workers)


def test_nothing_to_score_is_no_error() -> None:
    assert _rank(workers=4) == Ranking((), ())


def test_the_table_is_csv_with_every_component(folder: Path) -> None:
    ranking = _rank(folder)
    rows = list(csv.DictReader(ranking.to_csv().splitlines()))
    assert [row["rank"] for row in rows] == ["0", "1", "2", "3"]
    for row, picture in zip(rows, ranking.pictures, strict=True):
        assert row["name"] == picture.name
        assert float(row["score"]) == picture.quality.score
    assert "\r" not in ranking.to_csv()
