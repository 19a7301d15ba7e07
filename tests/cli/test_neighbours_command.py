"""`pgan-toolkit neighbours` as a user sees it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from command_line import run_main
from picture_sets import pictures, truncate, write_set

from pgan_toolkit.imaging import decode_image


@pytest.fixture
def real(tmp_path: Path) -> Path:
    return write_set(tmp_path / "real", pictures(0, 20))


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """Copies of the first four real pictures, with noise."""
    noise = np.random.default_rng(9).integers(-5, 6, (4, 32, 32, 3))
    return write_set(
        tmp_path / "fake", np.clip(pictures(0, 20)[:4] + noise, 0, 255).astype(np.uint8)
    )


def rows(table: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(table.read_text().splitlines()))


def test_copies_find_their_originals(real: Path, fake: Path, tmp_path: Path) -> None:
    out, table = tmp_path / "n.png", tmp_path / "n.csv"
    words = ["--extractor", "pixels", "--nearest", 3, "--out", out, "--csv", table]
    done = run_main("neighbours", fake, real, *words)
    assert done.code == 0, done.err
    found = rows(table)
    assert [(row["fake"], row["rank"]) for row in found] == [
        (f"{n:03d}", str(rank)) for n in range(4) for rank in (1, 2, 3)
    ]
    first = [row for row in found if row["rank"] == "1"]
    assert [row["real"] for row in first] == ["000", "001", "002", "003"]
    assert all(float(row["distance"]) < 5 for row in first)
    assert all(float(row["distance"]) > 20 for row in found if row["rank"] != "1")
    image = decode_image(out.read_bytes(), name="n.png")
    assert image.shape[1] > 4 * 128
    assert "nearest of 20 real pictures, with distances by pixels" in done.out
    head, line, *_ = done.out.splitlines()[1:]
    assert head.split()[:2] == ["fake", "nearest"]
    assert line.split()[:2] == ["000", "000"]
    assert head.index("nearest") == line.index("000", 5)


def test_json_holds_what_the_table_holds(real: Path, fake: Path, tmp_path: Path) -> None:
    report, table = tmp_path / "n.json", tmp_path / "n.csv"
    words = ["--extractor", "pixels", "--out", tmp_path / "n.png", "--csv", table]
    assert run_main("neighbours", fake, real, *words, "--json", report).code == 0
    content = json.loads(report.read_text())
    found = [
        {"fake": key, "rank": str(rank), "real": near["real"], "distance": repr(near["distance"])}
        for key, neighbours in content["neighbours"].items()
        for rank, near in enumerate(neighbours, start=1)
    ]
    assert found == rows(table)
    assert content["searched"] == 20
    printed = run_main("neighbours", fake, real, *words, "--json", "-")
    assert printed.code == 0
    assert json.loads(printed.out)["neighbours"] == content["neighbours"]
    assert content["extractor"].startswith("pixels")
    assert {"numpy", "torch"} <= content["versions"].keys()
    assert [each["path"] for each in content["sets"]] == [str(fake), str(real)]


def test_distances_are_those_of_a_plain_search(tmp_path: Path) -> None:
    images = pictures(4, 9, size=104)[:, :102, :102]  # whose central crop is 64x64
    real, fake = write_set(tmp_path / "r", images[:6]), write_set(tmp_path / "f", images[6:])
    table = tmp_path / "n.csv"
    done = run_main(
        "neighbours", fake, real, "--extractor", "pixels", "--nearest", 6, "--quiet",
        "--batch-size", 4, "--out", tmp_path / "n.png", "--csv", table,
    )  # fmt: skip
    assert done == (0, "", "")
    crops = images[:, 19:83, 19:83].astype(float)
    for row in rows(table):
        apart = crops[6 + int(row["fake"])] - crops[int(row["real"])]
        assert float(row["distance"]) == pytest.approx(np.sqrt((apart**2).mean()), rel=1e-6)
    distances = [float(row["distance"]) for row in rows(table)]
    assert all(distances[n : n + 6] == sorted(distances[n : n + 6]) for n in (0, 6, 12))


def test_queries_are_chosen_and_only_some_are_listed(
    real: Path, fake: Path, tmp_path: Path
) -> None:
    out = tmp_path / "n.png"
    done = run_main(
        "neighbours", real, fake, "--extractor", "pixels", "--out", out, "--queries", 18,
        "--nearest", 1,
    )  # fmt: skip
    assert done.code == 0
    assert "and of 2 others" in done.out


def test_sizes_may_be_mixed_with_a_warning(real: Path, tmp_path: Path) -> None:
    other = write_set(tmp_path / "other", pictures(3, 2, size=64))
    (other / "big.png").write_bytes((real / "000.png").read_bytes())
    done = run_main("neighbours", other, real, "--extractor", "pixels", "--out", tmp_path / "n.png")
    assert done.code == 0
    assert f"{other}: pictures of 2 sizes: 64x64 (2), 32x32 (1)" in done.err
    assert "1 of its 3 pictures found among the real ones" in done.err


def test_wrong_input_is_told(real: Path, fake: Path, tmp_path: Path) -> None:
    out = tmp_path / "n.png"
    cases: list[tuple[list[object], int, str]] = [
        ([fake, real, "--out", tmp_path / "n.jpg"], 2, "extension .png"),
        ([fake, real, "--out", out, "--nearest", 21], 2, "at most the 20 of"),
        ([fake, tmp_path / "none", "--out", out], 2, "no such file"),
        ([fake, real], 2, "--out"),
        ([fake, real, "--out", out, "--extractor", "resnet"], 2, "resnet"),
        ([fake, real, "--out", out, "--weights", tmp_path / "w.pth"], 2, "takes no weights"),
    ]
    for words, code, said in cases:
        extractor = [] if "--extractor" in words else ["--extractor", "pixels"]
        done = run_main("neighbours", *words, *extractor)
        assert (done.code, done.out) == (code, ""), words
        assert said in done.err
        assert "internal error" not in done.err
    truncate(real / "004.png")
    done = run_main("neighbours", fake, real, "--out", out, "--extractor", "pixels")
    assert done.code == 3
    assert "004.png" in done.err
    assert not out.exists()
    done = run_main("neighbours", fake, real, "--out", out, "--extractor", "pixels", "--skip-bad")
    assert done.code == 0
    assert "1 unreadable picture left out" in done.err
