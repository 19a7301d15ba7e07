"""`pgan-toolkit restore-score` as a user sees it."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from command_line import run_main

from pgan_toolkit.imaging import encode_png, lanczos_resize


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two small pictures of smooth colours, the second flat."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    small = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    blobs = lanczos_resize(small, width=64, height=48)
    (folder / "blobs.png").write_bytes(encode_png(blobs))
    (folder / "flat.png").write_bytes(encode_png(np.full((40, 40, 3), 128, np.uint8)))
    return folder


def test_every_picture_has_a_line_and_the_means_come_last(pictures: Path) -> None:
    done = run_main(
        "restore-score", "--data", pictures, "--task", "superres", "--restorer", "lanczos"
    )
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == f"{pictures}: 2 pictures, task superres, restorer lanczos"
    blobs = next(line.split() for line in lines if line.startswith("blobs"))
    # key, then PSNR and SSIM of bicubic, lanczos and restored, and the gain
    assert len(blobs) == 8
    assert blobs[3:5] == blobs[5:7]
    assert blobs[-1] == "+0.00"
    assert [line.split()[3] for line in lines if line.startswith("mean of 2")] == [
        "bicubic",
        "lanczos",
        "restored",
    ]
    assert "scoring: 2 trials" in done.err


def test_all_scores_are_stored_and_equal_pictures_leave_valid_json(
    pictures: Path, tmp_path: Path
) -> None:
    report = tmp_path / "scores.json"
    done = run_main(
        "restore-score", "--data", pictures, "--task", "jpeg", "--restorer", "lanczos",
        "--quality", 10, "--quality", 90, "--colour", "--json", report, "--quiet",
    )  # fmt: skip
    assert done == (0, "", "")

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    stored = json.loads(report.read_text(), parse_constant=refuse)
    assert (stored["task"], stored["restorer"], stored["colour"]) == ("jpeg", "lanczos", True)
    found = [(score["key"], score["quality"]) for score in stored["pictures"]]
    assert found == [("blobs", 10), ("blobs", 90), ("flat", 10), ("flat", 90)]
    assert stored["pictures"][2]["fidelity"]["jpeg"]["psnr_luma"] is None  # infinite
    # The flat picture has no detail that a ratio could be of; null is an infinite PSNR alone.
    assert stored["pictures"][2]["fidelity"]["jpeg"]["band_ratios"] == []
    first = stored["pictures"][0]["fidelity"]
    assert len(first["jpeg"]["band_ratios"]) == 2
    assert first["jpeg"] == first["restored"]
    assert [mean["quality"] for mean in stored["means"]] == [10, 90]


def test_equal_pictures_have_no_gain_and_a_quality_named_twice_counts_once(
    pictures: Path,
) -> None:
    done = run_main(
        "restore-score", "--data", pictures, "--task", "jpeg", "--restorer", "lanczos",
        "--quality", 90, "--quality", 10, "--quality", 90, "--colour",
    )  # fmt: skip
    assert done.code == 0
    flat = [line.split() for line in done.out.splitlines() if line.startswith("flat")]
    assert [words[1] for words in flat] == ["90", "10"]
    assert {words[-1] for words in flat} == {"equal"}
    assert "scoring: 4 trials" in done.err
    assert "mean of 2" in done.out
    assert "nan" not in done.out


def test_a_report_that_cannot_be_written_is_told_by_its_name_before_any_scoring(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **_options: object) -> object:
        hidden = path.with_name(f".{path.name}.0123abcd.partial")
        raise PermissionError(errno.EACCES, "Permission denied", str(hidden))

    monkeypatch.setattr("pgan_toolkit.storage.AtomicPath", refuse)
    report = tmp_path / "scores.json"
    words = ("--task", "jpeg", "--restorer", "lanczos", "--json", report)
    done = run_main("restore-score", "--data", pictures, *words)
    assert (done.code, done.out) == (4, "")
    assert f"error: {report}: cannot be written (Permission denied)" in done.err
    assert "partial" not in done.err


def test_an_earlier_report_stays_when_scoring_fails(pictures: Path, tmp_path: Path) -> None:
    report = tmp_path / "scores.json"
    report.write_text("{}")
    (pictures / "tiny.png").write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    words = ("--task", "jpeg", "--restorer", "lanczos", "--json", report)
    assert run_main("restore-score", "--data", pictures, *words).code == 3
    assert report.read_text() == "{}"
    assert [path.name for path in tmp_path.glob("*.*")] == ["scores.json"]


def test_faces_are_scored_with_their_detail(pictures: Path) -> None:
    done = run_main("restore-score", "--data", pictures, "--task", "faces", "--restorer", "lanczos")
    assert done.code == 0
    assert "detail: energy of the two finest Laplacian bands" in done.out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--task", "superres", "--quality", 10), 2, "has no JPEG quality"),
        (("--task", "faces", "--colour"), 2, "colour is a choice of the task jpeg"),
        (("--task", "jpeg", "--restorer", "nothing"), 2, "'nothing'"),
        (("--task", "jpeg", "--quality", 0), 2, "--quality"),
        (("--task", "jpeg", "--json", "typo/scores.json"), 2, "there is no folder typo"),
    ],
)
def test_wrong_usage_is_told(
    pictures: Path, words: tuple[object, ...], code: int, told: str
) -> None:
    restorer = () if "--restorer" in words else ("--restorer", "lanczos")
    done = run_main("restore-score", "--data", pictures, *words, *restorer)
    assert done.code == code
    assert told in done.err
    assert done.out.count("\n") == 0


def test_data_that_is_not_there_or_too_small_is_told(pictures: Path, tmp_path: Path) -> None:
    words = ("--task", "jpeg", "--restorer", "lanczos")
    done = run_main("restore-score", "--data", tmp_path / "none", *words)
    assert done.code in (2, 3)
    assert str(tmp_path / "none") in done.err
    (pictures / "tiny.png").write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    done = run_main("restore-score", "--data", pictures, *words)
    assert done.code == 3
    assert "tiny: 8x8 pixels" in done.err


def test_json_alone_is_printed_where_a_dash_is_named(pictures: Path) -> None:
    done = run_main(
        "restore-score", "--data", pictures, "--task", "superres", "--restorer", "lanczos",
        "--json", "-",
    )  # fmt: skip
    assert done.code == 0
    assert len(json.loads(done.out)["pictures"]) == 2


def test_quiet_without_a_file_would_show_nothing_and_is_refused(pictures: Path) -> None:
    done = run_main("restore-score", "--data", pictures, "--task", "superres", "--quiet")
    assert done.code == 2
    assert "--quiet shows no result" in done.err
