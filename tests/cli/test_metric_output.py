"""How results are shown and written."""

import json
import math
from pathlib import Path

import pytest
from pgan_cli.metric_output import finish, result_table, write_results

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
    assert rows["64"] == ["0.001235", "+-", "0.5"]
    assert rows["32"] == ["1,234.5000"]
    assert rows["images"] == ["16,384", "real,", "2,000", "fake"]
    assert rows["seed"] == ["0"]
    assert rows["features"] == ["inception", "sha256:abc"]
    assert "  swd                12.3457  +- 0.25" in lines
    assert "  95 % interval 12.0000 to 13.0000" in lines
    assert max(map(len, lines)) <= 100


def test_the_table_leaves_out_what_is_not_known() -> None:
    plain = Result(metric="fid", value=0.0, images={"fake": 3}, convention="c", versions={})
    assert result_table(plain).splitlines() == [
        "fid",
        "  fid                 0.0000",
        "  images        3 fake",
        "  convention    c",
    ]


def test_json_holds_what_the_result_holds(tmp_path: Path) -> None:
    place = tmp_path / "out.json"
    write_results(place, {"title": RESULT}, sets=[{"path": "fake"}])
    content = json.loads(place.read_text())
    assert content["format"] == "pgan-toolkit results"
    assert content["sets"] == [{"path": "fake"}]
    [written] = content["results"]
    assert written.pop("title") == "title"
    assert written == json.loads(json.dumps(RESULT.to_dict()))


def test_json_has_no_numbers_that_json_has_not(tmp_path: Path) -> None:
    place = tmp_path / "out.json"
    broken = Result(metric="x", value=math.nan, images={}, convention="", interval=(0.0, math.inf))
    write_results(place, {"": broken})
    [written] = json.loads(place.read_text())["results"]
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
