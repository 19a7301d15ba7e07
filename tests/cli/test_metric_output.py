"""How results are shown and written."""

import errno
import json
import math
import os
from pathlib import Path

import pytest
from command_line import run_main
from pgan_cli.metric_output import finish, result_table, results_json
from pgan_cli.reports import Report, report_place
from picture_sets import pictures, write_set

from pgan_toolkit.errors import SetupError, UsageError
from pgan_toolkit.metrics import Result

RESULT = Result(
    metric="swd",
    value=12.34567,
    images={"real": 16384, "fake": 2000},
    convention="a convention " * 20,
    components={"64": 0.00123456, "32": 1234.5},
    component_errors={"64": 0.5},
    standard_error=0.25,
    interval=(12.0, 13.0),
    uncertainty="4 repeats",
    seed=0,
    extractor="inception sha256:abc",
    warnings=("2,000 images: the protocol takes 16,384",),
)


def test_the_table_holds_everything() -> None:
    lines = result_table(RESULT, title="fake/ against real/").splitlines()
    assert lines[0] == "swd  fake/ against real/"
    rows = {line.split()[0]: line.split()[1:] for line in lines}
    assert rows["64"] == ["0.001235", "+-", "0.5000"]
    assert rows["32"] == ["1,234.5000"]
    assert rows["images"] == ["16,384", "real,", "2,000", "fake"]
    assert rows["seed"] == ["0"]
    assert rows["features"] == ["inception", "sha256:abc"]
    assert "  swd                  12.3457  +- 0.2500" in lines
    assert "  95 % interval   12.0000 to 13.0000" in lines
    assert max(map(len, lines)) <= 100


def test_the_table_leaves_out_what_is_not_known() -> None:
    plain = Result(metric="fid", value=0.0, images={"fake": 3}, convention="c", versions={})
    assert result_table(plain).splitlines() == [
        "fid",
        "  fid                   0.0000",
        "  images          3 fake",
        "  convention      c",
    ]


def test_numbers_stand_below_each_other_and_none_is_shown_twice() -> None:
    parts = {"std over subsets": 0.5, "recall": 0.02, "kl": 1e-5, "a": -12.5}
    result = Result(
        metric="precision-recall", value=0.5, images={"fake": 3}, convention="c", components=parts
    )
    rows = result_table(result).splitlines()[1:5]
    assert [row.split()[-1] for row in rows] == ["0.5000", "0.0200", "1.000e-05", "-12.5000"]
    assert len(set(map(len, rows))) == 1
    assert result_table(result).count("precision-recall") == 1


@pytest.mark.parametrize("quiet", [False, True])
def test_json_is_alone_on_standard_output(
    quiet: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fake = write_set(tmp_path / "fake", pictures(0, 4))
    done = run_main("ms-ssim", fake, "--json", "-", *(["--quiet"] if quiet else []))
    assert done.code == 0
    [result] = json.loads(done.out)["results"]
    assert result["images"] == {"fake": 4}
    assert ("warning: 4 images" in done.err) != quiet
    assert [entry.name for entry in tmp_path.iterdir()] == ["fake"]


def test_nothing_is_printed_of_a_run_that_fails(tmp_path: Path) -> None:
    done = run_main("ms-ssim", write_set(tmp_path / "fake", pictures(0, 1)), "--json", "-")
    assert (done.code, done.out) == (3, "")


def test_a_result_is_shown_also_where_its_file_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full = Report(tmp_path / "out.json", Path("/dev/full"))
    with pytest.raises(SetupError, match=r"out\.json: cannot be written \(No space left"):
        finish({"a": RESULT}, place=full, streams=[], quiet=False)
    assert "12.3457" in capsys.readouterr().out


def test_a_disk_that_fills_at_the_end_is_told_by_the_name_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(
            SetupError, match=r"out\.json: cannot be written \(No space left on device\)"
        ),
        report_place(tmp_path / "out.json"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_quiet_without_a_file_is_refused_before_the_work() -> None:
    with (
        pytest.raises(UsageError, match="--quiet shows no result"),
        report_place(None, required=True),
    ):
        pytest.fail("the work has begun")


def test_json_holds_what_the_result_holds() -> None:
    content = json.loads(results_json({"title": RESULT}, sets=[{"path": "fake"}]))
    assert content["format"] == "pgan-toolkit results"
    assert content["sets"] == [{"path": "fake"}]
    [written] = content["results"]
    assert written.pop("title") == "title"
    assert written == json.loads(json.dumps(RESULT.to_dict()))


def test_json_has_no_numbers_that_json_has_not() -> None:
    broken = Result(metric="x", value=math.nan, images={}, convention="", interval=(0.0, math.inf))
    [written] = json.loads(results_json({"": broken}))["results"]
    assert (written["value"], written["interval"]) == (None, [0.0, None])


def test_warnings_are_on_standard_error_and_quiet_shows_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    finish({"a": RESULT, "b": RESULT}, place=None, streams=[], quiet=False)
    shown = capsys.readouterr()
    assert shown.err.splitlines() == [f"warning: {name}: {RESULT.warnings[0]}" for name in "ab"]
    assert "protocol" not in shown.out
    finish({"a": RESULT}, place=None, streams=[], quiet=True)
    assert capsys.readouterr() == ("", "")
