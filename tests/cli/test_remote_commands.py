"""Commands that are given URLs, run as a user runs them: against an S3 server on loopback."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import run_main
from remote_storage import SECRET

from pgan_toolkit.storage import Record, open_sink, open_source
from pgan_toolkit.storage.remote import connections


def _set(place: str, *, count: int = 4, size: int = 64, seed: int = 0) -> str:
    with open_sink(place) as sink:
        for index in range(count):
            pixels = np.random.default_rng([seed, index]).integers(
                0, 256, (size, size, 3), np.uint8
            )
            sink.write(Record(f"{index:03d}", pixels, None))
    return place


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remote_cache: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_data_commands_take_urls(bucket: str, here: Path) -> None:
    _set(f"{bucket}/set.zip")
    inspected = run_main("data", "inspect", f"{bucket}/set.zip", "--json", "--quiet")
    assert (inspected.code, inspected.err) == (0, "")
    assert json.loads(inspected.out)["path"] == f"{bucket}/set.zip"
    assert run_main("data", "verify", f"{bucket}/set.zip", "--quiet").code == 0
    copied = run_main("data", "convert", f"{bucket}/set.zip", f"{bucket}/copy", "--quiet")
    assert copied.out == f"{bucket}/copy: 4 pictures as folder\n"
    again = run_main("data", "convert", f"{bucket}/set.zip", f"{bucket}/copy", "--quiet")
    assert again.code == 2
    assert f"{bucket}/copy: exists already" in again.err
    assert run_main("data", "show", f"{bucket}/copy", "--out", "sheet.png", "--quiet").code == 0
    assert (here / "sheet.png").exists()


@pytest.mark.slow
def test_metrics_rank_and_restore_take_urls(bucket: str, here: Path) -> None:
    real, fake = _set(f"{bucket}/real.zip", seed=1), _set(f"{bucket}/fake", seed=2)
    _set("real.zip", seed=1)
    _set("fake", seed=2)
    words = ("--quiet", "--json")
    assert run_main("swd", real, fake, *words, "remote.json").code == 0
    assert run_main("swd", "real.zip", "fake", *words, "local.json").code == 0
    remote, local = (json.loads(Path(f"{n}.json").read_text()) for n in ("remote", "local"))
    assert real in json.dumps(remote)
    assert _values(remote) == _values(local)
    ranked = run_main("rank", fake, f"{fake}/000.png", "--workers", 1)
    assert ranked.code == 0
    assert f"{fake}/000.png" in ranked.out
    restored = run_main("restore", fake, "--out", "out", "--restorer", "lanczos", "--quiet")
    assert restored.code == 0
    assert len(list((here / "out").iterdir())) == 4


def _values(report: object) -> list[float]:
    """All numbers called "value", in order."""
    if isinstance(report, dict):
        own = [report["value"]] if isinstance(report.get("value"), float) else []
        return own + [value for each in report.values() for value in _values(each)]
    return [v for each in report for v in _values(each)] if isinstance(report, list) else []


@pytest.mark.slow
def test_evaluate_takes_urls(bucket: str, here: Path) -> None:
    real, fake = _set(f"{bucket}/real.zip", seed=1), _set(f"{bucket}/fake", seed=2)
    done = run_main("evaluate", real, fake, "--metric", "swd", "--json", "report.json", "--quiet")
    assert done.code == 0, done.err
    assert fake in (here / "report.json").read_text()
    assert SECRET not in (here / "report.json").read_text()


def test_what_goes_wrong_is_told_in_one_line_with_an_exit_code(
    bucket: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = run_main("data", "inspect", "https://host/set.zip?X-Amz-Signature=hunter2")
    assert signed.code == 2
    assert "hunter2" not in signed.err
    assert run_main("data", "inspect", f"{bucket}/none").code == 2
    assert run_main("data", "show", f"{bucket}/none", "--out", "s3://b/sheet.png").code == 2

    def missing(name: str) -> None:
        raise ImportError(f"install {name}")

    monkeypatch.setattr("fsspec.get_filesystem_class", missing)
    monkeypatch.setattr(connections, "_open", {})
    lacking = run_main("swd", "gs://bucket/real", "gs://bucket/fake")
    assert lacking.code == 4
    assert "pip install 'pgan-toolkit[gs]'" in lacking.err
    assert lacking.err.count("\n") == 1


def test_the_dry_run_of_a_build_says_where_it_works(bucket: str, here: Path) -> None:
    with open_sink(f"{bucket}/photos") as sink:
        sink.write(Record("a", np.zeros((64, 64, 3), np.uint8), None))
    words = ("--landmarks", "detect", "--size", 64, "--restorer", "lanczos", "--dry-run")
    planned = run_main(
        "build-celebahq", "--src", f"{bucket}/photos", "--out", f"{bucket}/hq", *words
    )
    assert planned.code == 0, planned.err
    assert f"workspace  {here / 'hq.build'}" in planned.out
    assert open_source(f"{bucket}/photos").keys() == ("a",)
