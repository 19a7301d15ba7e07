"""What is refused or marked before a photograph is opened."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pgan_toolkit import devices
from pgan_toolkit.celebahq import BuildSettings, build_dataset, plan_build
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.restoration.networks import RedNet, RedNetConfig
from pgan_toolkit.restoration.weights import save_network


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


def test_what_auto_means_is_settled_in_the_plan_and_told_to_the_workers(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_build(_settings(src=samples, out=tmp_path / "hq"))
    told = plan.worker_settings()
    assert (told.device, told.precision) == ("cpu", "float32")
    torch.manual_seed(1)
    net = RedNet(RedNetConfig(layers=2, maps=4))
    save_network(tmp_path / "j.safetensors", net, task="jpeg")
    spec = f"nets:jpeg={tmp_path}/j.safetensors"
    for there, taken in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(devices, "has_bfloat16", lambda _, there=there: there)
        plan = plan_build(_settings(src=samples, out=tmp_path / "hq", restorer=spec, device="cpu"))
        monkeypatch.setattr(devices, "has_bfloat16", lambda _, there=there: not there)
        assert plan.worker_settings().precision == taken
        assert str(plan.settings.scoring_facts(plan.source.table)["restorer"]).endswith(taken)


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


@pytest.mark.parametrize("name", ["/photos/original.jpg", "../img_celeba/original.jpg"])
def test_a_list_that_leads_out_of_the_photographs_is_refused_and_the_build_stays_usable(
    samples: Path, tmp_path: Path, name: str
) -> None:
    settings = _settings(src=samples, out=tmp_path / "hq", size=64, workers=1, count=2)
    build_dataset(settings, mode="quiet")
    (tmp_path / "keys.txt").write_text(f"blur_1\n{name}\n")
    other = replace(settings, out=tmp_path / "other", select=tmp_path / "keys.txt")
    told = rf"keys\.txt, line 2: '{name}' leads out of the folder of pictures"
    with pytest.raises(DataError, match=told):
        build_dataset(other, mode="quiet")
    assert not (tmp_path / "other").exists()


def test_a_landmark_table_that_leads_out_of_the_photographs_is_refused(
    samples: Path, tmp_path: Path
) -> None:
    source = _photographs(samples, tmp_path / "photos", "a.jpg")
    points = [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]
    (source / "landmarks.json").write_text(json.dumps({"a.jpg": points, "../b.jpg": points}))
    with pytest.raises(DataError, match=r"landmarks\.json: the row of '\.\./b\.jpg' leads out"):
        plan_build(_settings(src=source, out=tmp_path / "hq"))


def test_a_photograph_whose_crop_would_need_anothers_file_for_a_folder_is_marked(
    samples: Path, tmp_path: Path
) -> None:
    source = _photographs(samples, tmp_path / "photos", "a.jpg")
    _photographs(samples, source / "a.png", "b.jpg")
    settings = _settings(src=source, out=tmp_path / "hq", landmarks="detect", size=64)
    (problem,) = plan_build(settings).problems
    assert (problem.key, problem.category) == ("a.png/b", "unusable name")
    assert "it needs a folder where the crop of a has its file" in problem.reason


def test_of_a_finished_build_what_the_scores_depend_on_is_told_first(
    samples: Path, tmp_path: Path
) -> None:
    settings = _settings(src=samples, out=tmp_path / "hq", size=64, workers=1, count=2)
    build_dataset(settings, mode="quiet")
    for other in (replace(settings, size=128), replace(settings, size=128, count=3)):
        with pytest.raises(
            DataError, match="begun with other settings: size was 64 and is now 128"
        ):
            build_dataset(other, mode="quiet")
        with pytest.raises(DataError, match="size was 64"):
            plan_build(other).done_before()
