"""The forms of a report: JSON and its schema, JUnit, Markdown, annotations, text."""

import json
import math
import re
from dataclasses import replace
from importlib import resources
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from evaluated_sets import pictures, write_set
from hypothesis import given
from hypothesis import strategies as st

from pgan_toolkit.errors import DataError
from pgan_toolkit.evaluation import (
    Conditions,
    EvaluationSettings,
    Report,
    Thresholds,
    Tolerance,
    evaluate,
)
from pgan_toolkit.evaluation.comparing import (
    Verdict,
    github_annotations,
    judge,
    report_from_json,
    report_json,
    report_junit,
    report_markdown,
    report_text,
)
from pgan_toolkit.evaluation.comparing.text import number_text, number_texts

HOSTILE = (
    "<img src=x onerror=alert(1)>|`a` @all #1 https://x.org\r\n::error::x\x00\x1b[31m\ud800&amp;%0A"
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("sets")
    sets = [write_set(folder / side, pictures(n, 12)) for n, side in enumerate(("real", "fake"))]
    conditions = Conditions(thresholds=Thresholds(most={"swd.avg": 1.0}, least={"ms-ssim": 0.0}))
    settings = EvaluationSettings(mode="quiet", device="cpu")
    return evaluate(
        *sets, metrics=["swd", "ms-ssim"], images=12, conditions=conditions, settings=settings
    )


@pytest.fixture(scope="module")
def compared(measured: Report, tmp_path_factory: pytest.TempPathFactory) -> Report:
    path = tmp_path_factory.mktemp("baseline") / "base.json"
    path.write_bytes(report_json(measured))
    return judge(measured, Conditions(baseline=path, tolerance=Tolerance(2, "se")))


@pytest.fixture
def hostile(measured: Report) -> Report:
    verdict = Verdict(
        score="swd.avg", kind="max", status="fail", message=HOSTILE, value=math.nan, limit=1.0
    )
    cautious = replace(verdict, status="pass", caution=HOSTILE)
    return replace(
        measured,
        verdicts=(verdict, cautious),
        skipped={"fid": HOSTILE},
        real={**measured.real, "path": HOSTILE},
        fake={**measured.fake, "path": HOSTILE},
    )


def schema() -> dict[str, Any]:
    text = (resources.files("pgan_data_manifests") / "report.schema.json").read_text()
    found: dict[str, Any] = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(found)
    return found


@pytest.mark.parametrize("which", ["measured", "compared", "hostile"])
def test_json_follows_its_schema_and_comes_back(which: str, request: pytest.FixtureRequest) -> None:
    report: Report = request.getfixturevalue(which)
    data = report_json(report)
    jsonschema.validate(json.loads(data), schema())
    back = report_from_json(data, name="it")
    assert report_json(back) == data
    if which != "hostile":  # whose NaN is not equal to itself
        assert back == report


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"extra": 1}, {"status": "fine"}, {"scores": []}]
)
def test_the_schema_refuses_what_is_no_report(measured: Report, change: dict[str, Any]) -> None:
    content = {**json.loads(report_json(measured)), **change}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema())


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
)


@given(data=st.data())
def test_a_damaged_baseline_is_an_error_of_data_or_is_compared(
    compared: Report, data: st.DataObject
) -> None:
    from pgan_toolkit.evaluation.comparing.baselines import judge_baseline

    content = json.loads(report_json(compared))
    place = content
    while True:
        key = data.draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place)))
        )
        deeper = place[key]
        if not isinstance(deeper, (dict, list)) or not deeper or data.draw(st.booleans()):
            break
        place = deeper
    place[key] = data.draw(junk)
    try:
        damaged = report_from_json(json.dumps(content).encode(), name="base.json")
    except DataError as error:
        told = str(error)
    else:
        told = "base.json" * isinstance(
            [*judge_baseline(compared, damaged, Tolerance(2, "se"))], list
        )
    assert "base.json" in told


def test_junit_has_a_case_a_verdict(measured: Report, compared: Report) -> None:
    root = ElementTree.fromstring(report_junit(replace(measured, skipped={"fid": "no weights"})))
    [suite] = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    # junit-10.xsd of Jenkins' xUnit plugin allows no other attributes here, "skipped" included.
    assert set(root.keys()) <= {"name", "time", "tests", "failures", "errors"}
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3", "failures": "1", "errors": "0", "skipped": "1",
    }  # fmt: skip
    failed, passed, skipped = suite
    assert failed.get("name") == "swd.avg max 1"
    assert failed.find("failure").get("message") == measured.verdicts[0].message
    assert passed.find("failure") is None
    assert skipped.find("skipped").get("message") == "no weights"
    other = replace(compared.verdicts[0], status="not comparable")
    [case] = ElementTree.fromstring(report_junit(replace(compared, verdicts=(other,))))[0]
    assert case.find("error").get("message") == other.message


def test_a_case_keeps_its_name_when_the_baseline_is_made_anew(compared: Report) -> None:
    before = compared.verdicts[0]
    names = set()
    for limit in (58.0254, 57.5):
        report = replace(compared, verdicts=(replace(before, limit=limit),))
        [case] = ElementTree.fromstring(report_junit(report))[0]
        names.add(case.get("name"))
        assert f"baseline: {number_text(limit)}" in case.find("system-out").text.splitlines()
    assert names == {f"{before.score} no worse than the baseline"}


@pytest.mark.parametrize(
    ("value", "other", "texts"),
    [
        (58.02541, 58.02539, ("58.02541", "58.02539")),
        (58.0254, 58.0254, ("58.0254", "58.0254")),
        (5.0, 5.00001, ("5", "5.00001")),
        (1234567.00001, 1234567.00002, ("1,234,567.00001", "1,234,567.00002")),
        (0.00012345678, 0.00012345679, ("0.00012345678", "0.00012345679")),
        (1.0, 2.0, ("1", "2")),
        (None, 2.5, ("-", "2.5000")),
        (math.nan, 2.5, ("nan", "2.5000")),
    ],
)
def test_two_numbers_that_differ_look_different(
    value: float | None, other: float, texts: tuple[str, str]
) -> None:
    assert number_texts(value, other) == texts


def test_junit_holds_any_text(hostile: Report) -> None:
    suite = ElementTree.fromstring(report_junit(hostile))[0]
    message = suite[0].find("failure").get("message")
    assert "<img src=x onerror=alert(1)>" in message
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", message)


def test_markdown_has_the_verdicts_first(measured: Report, compared: Report) -> None:
    text = report_markdown(measured)
    assert text.index("demanded") < text.index("| swd.avg | ")
    assert "❌ failed" in text.splitlines()[0]
    assert "12 real and 12 fake images, seed 0" in text
    assert "(was " in report_markdown(compared)
    assert "nothing demanded" in report_markdown(replace(measured, verdicts=()))


def test_markdown_cannot_be_broken_out_of(hostile: Report) -> None:
    text = report_markdown(hostile)
    assert "<" not in text
    assert not re.search(r"(?<!\\)`|@all|#1|[\x00\x1b\r]|\n::|://", text)
    rows = [line for line in text.splitlines() if line.startswith("| ❌")]
    assert len(rows) == 1
    assert len(re.findall(r"(?<!\\)\|", rows[0])) == 3


def test_annotations_are_of_what_did_not_pass(measured: Report, hostile: Report) -> None:
    [line] = github_annotations(measured)
    assert line.startswith("::error title=swd.avg%3A fail::swd.avg is ")
    lines = github_annotations(hostile)
    assert [each.partition(" ")[0] for each in lines] == ["::error", "::warning"]
    assert not any(set("\r\n") & set(each) for each in lines)
    assert "%0D%0A::error::x" in lines[0]
    assert "%250A" in lines[0]


def test_text_has_the_verdicts_first_and_is_narrow(measured: Report) -> None:
    lines = report_text(measured).splitlines()
    assert lines[0].startswith("FAIL  swd.avg is ")
    assert lines[1].startswith("pass  ms-ssim is ")
    short = replace(
        measured, real={**measured.real, "path": "r"}, fake={**measured.fake, "path": "f"}
    )
    assert max(map(len, report_text(short).splitlines())) <= 100


@pytest.mark.parametrize("form", [report_text, report_markdown])
def test_a_deviation_is_said_beside_the_numbers(form: Any, measured: Report) -> None:
    swd = replace(measured.measured["swd"], deviations=("fake: 12 of 16,384 images",))
    found = form(replace(measured, measured={**measured.measured, "swd": swd}, verdicts=()))
    assert "PROTOCOL not followed" in found or "protocol not followed" in found
    assert "12 of 16,384 images" in found


def test_numbers_are_read_easily() -> None:
    from pgan_toolkit.evaluation.comparing.text import number_text

    assert [number_text(each) for each in (12.0, 12.34567, 0.001234567, None, 1e6, math.inf)] == [
        "12", "12.3457", "0.001235", "-", "1,000,000", "inf",
    ]  # fmt: skip


def test_what_is_wrong_stands_in_every_form_for_people_and_comes_back(measured: Report) -> None:
    found = replace(measured, findings=("They are blurred | <b>. 3 % of it.",))
    assert report_from_json(report_json(found), name="it").findings == found.findings
    assert "   !  They are blurred | <b>. 3 % of it." in report_text(found).splitlines()
    assert "- **They are blurred \\| &lt;b&gt;. 3 % of it.**" in report_markdown(found)


@pytest.mark.parametrize("found", [None, ()])
def test_nothing_is_said_where_nothing_was_found_or_nobody_looked(
    measured: Report, found: tuple[str, ...] | None
) -> None:
    report = replace(measured, findings=found)
    content = json.loads(report_json(report))
    jsonschema.validate(content, schema())
    assert report_from_json(report_json(report), name="it").findings == found
    assert "!" not in report_text(report)
    assert "What is wrong" not in report_markdown(report)
    del content["findings"]
    assert report_from_json(json.dumps(content).encode(), name="it").findings is None
