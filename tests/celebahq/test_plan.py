"""What is refused or marked before a photograph is opened."""

import shutil
from pathlib import Path

import pytest

from pgan_toolkit.celebahq import BuildSettings, build_dataset, plan_build
from pgan_toolkit.errors import DataError, UsageError


def _settings(**changes: object) -> BuildSettings:
    return BuildSettings(**{"restorer": "lanczos", **changes})


def _photographs(samples: Path, folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        shutil.copy(samples / "img_celeba" / "original.jpg", folder / name)
    return folder


@pytest.mark.parametrize("out", ["hq", "deep/hq", "../photos/hq", "."])
def test_an_output_among_the_photographs_is_refused(
    samples: Path, tmp_path: Path, out: str
) -> None:
    source = _photographs(samples, tmp_path / "photos", "a.jpg")
    settings = _settings(src=source, out=source / out, landmarks="detect", size=64)
    with pytest.raises(UsageError, match="lies among the photographs"):
        plan_build(settings)
    assert [path.name for path in source.iterdir()] == ["a.jpg"]


def test_beside_img_celeba_is_outside(samples: Path, tmp_path: Path) -> None:
    assert plan_build(_settings(src=samples, out=samples / "hq")).problems


def test_an_unknown_restorer_or_device_is_refused_before_anything_is_made(
    samples: Path, tmp_path: Path
) -> None:
    for changes in ({"restorer": "magic"}, {"device": "cuda"}):
        settings = _settings(src=samples, out=tmp_path / "hq", **changes)
        with pytest.raises(UsageError, match=r"magic|cuda"):
            build_dataset(settings, mode="quiet")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_a_further_face_would_get_is_marked(samples: Path, tmp_path: Path) -> None:
    source = _photographs(samples, tmp_path / "photos", "a.jpg", "a-face2.jpg", "b-face2.jpg")
    every = _settings(src=source, out=tmp_path / "hq", landmarks="detect", faces="every")
    assert [row.key for row in plan_build(every).problems] == ["a-face2"]
    largest = _settings(src=source, out=tmp_path / "hq", landmarks="detect")
    assert plan_build(largest).problems == ()


def test_a_failed_photograph_that_was_removed_does_not_count_any_more(
    samples: Path, tmp_path: Path
) -> None:
    source = _photographs(samples, tmp_path / "photos", "a.jpg")
    shutil.copy(samples / "img_celeba" / "truncated.jpg", source)
    settings = _settings(
        src=source, out=tmp_path / "hq", landmarks="detect", size=64, workers=1, max_failures=0
    )
    with pytest.raises(DataError, match=r"the first: .*truncated\.jpg"):
        build_dataset(settings, mode="quiet")
    (source / "truncated.jpg").unlink()
    assert build_dataset(settings, mode="quiet").kept == 1
