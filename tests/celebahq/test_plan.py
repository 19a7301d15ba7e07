"""What is refused or marked before a photograph is opened."""

import shutil
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
