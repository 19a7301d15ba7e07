"""`evaluate --html` and `build-celebahq --report`: the pages that commands write."""

import sys
from pathlib import Path

import pytest
from command_line import run_main
from html_checks import check_page
from picture_sets import pictures, write_set

WORDS = ("--images", 24, "--metric", "swd", "--device", "cpu", "--no-cache")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("sets")
    real = write_set(folder / "real", pictures(0, 24))
    return real, write_set(folder / "fake", pictures(7, 24) // 2)


def test_evaluate_writes_a_page_with_its_history(sets: tuple[Path, Path], tmp_path: Path) -> None:
    first = run_main("evaluate", *sets, *WORDS, "--json", tmp_path / "first.json")
    assert first.code == 0, first.err
    page = tmp_path / "page.html"
    done = run_main(
        "evaluate", *sets, *WORDS, "--max", "swd.avg=0.001", "--html", page,
        "--history", tmp_path / "first.json", "--quiet",
    )  # fmt: skip
    assert done.code == 1, done.err
    text = " ".join(check_page(page.read_bytes()).text.split())
    assert "✗ Failed: 1 of 1 condition not met." in text
    assert "The fake pictures are darker." in text
    assert "swd.avg over time" in text
    assert "Command pgan-toolkit evaluate" in text


def test_a_generators_pictures_stand_on_the_page(
    sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page_maker.py").write_text(
        "import numpy as np\n"
        "def make(count, seed):\n"
        "    return np.random.default_rng(seed).integers(0, 99, (count, 32, 32, 3), np.uint8)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    words = ("--generator", "page_maker:make", "--html", "page.html", "--quiet")
    done = run_main("evaluate", sets[0], *WORDS, *words)
    assert done.code == 0, done.err
    read = check_page((tmp_path / "page.html").read_bytes())
    assert sum((image["alt"] or "").startswith("fake") for image in read.all("img")) > 20


def test_a_history_without_a_page_is_refused(sets: tuple[Path, Path], tmp_path: Path) -> None:
    done = run_main("evaluate", *sets, *WORDS, "--history", tmp_path / "first.json")
    assert done.code == 2
    assert "--history is shown on a page" in done.err


def test_a_page_in_no_folder_is_refused_before_the_work(
    sets: tuple[Path, Path], tmp_path: Path
) -> None:
    done = run_main("evaluate", *sets, *WORDS, "--html", tmp_path / "no" / "page.html")
    assert done.code == 2
    assert "there is no folder" in done.err
    assert "real:" not in done.err


def test_without_jinja_the_remedy_is_told_before_the_work(
    sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    done = run_main("evaluate", *sets, *WORDS, "--html", tmp_path / "page.html")
    assert done.code == 4
    assert "pip install 'pgan-toolkit[reports]'" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_build_writes_a_page_also_when_it_was_finished_before(
    samples: Path, tmp_path: Path
) -> None:
    words = (
        "build-celebahq", "--src", samples, "--out", tmp_path / "hq", "--count", 5, "--size", 64,
        "--restorer", "lanczos", "--workers", 1, "--quiet",
    )  # fmt: skip
    assert run_main(*words).code == 0
    done = run_main(*words, "--report", tmp_path / "page.html")
    assert done == (0, "", "")
    assert "5 of 38 photographs kept." in check_page((tmp_path / "page.html").read_bytes()).text
