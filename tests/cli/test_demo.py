"""`pgan-toolkit demo`: a dataset, a contact sheet and a summary out of nothing."""

import json
from pathlib import Path

import PIL.Image
import pytest
from command_line import Outcome, run_main

from pgan_toolkit.storage import open_source


def _state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("lock", "ledger.sqlite")
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    out = tmp_path_factory.mktemp("demo") / "demo"
    return run_main("demo", "--out", out), out


@pytest.mark.slow
def test_it_makes_samples_a_dataset_a_sheet_and_a_summary(made: tuple[Outcome, Path]) -> None:
    done, out = made
    assert done.code == 0
    source = open_source(out / "celeba_hq")
    assert len(source) == 16
    assert {record.image.shape for record in source} == {(1024, 1024, 3)}
    with PIL.Image.open(out / "celeba_hq.build" / "contact_sheet.png") as sheet:
        assert sheet.width > 1000
    assert json.loads((out / "celeba_hq.build" / "summary.json").read_text())["kept"] == 16
    for path in ("celeba_sample", "celeba_hq", "celeba_hq.build/contact_sheet.png"):
        assert str(out / path) in done.out
        assert (out / path).exists()


@pytest.mark.slow
def test_a_second_run_changes_nothing_and_says_the_same(made: tuple[Outcome, Path]) -> None:
    first, out = made
    before = _state(out)
    again = run_main("demo", "--out", out)
    assert again.code == 0
    assert _state(out) == before
    assert "38 photographs (30 done by an earlier run)" in again.out
    assert again.out.splitlines()[2:6] == first.out.splitlines()[2:6]


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "celeba_sample").mkdir()
    (tmp_path / "celeba_sample" / "thesis.txt").touch()
    done = run_main("demo", "--out", tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "celeba_sample: holds other files" in done.err
