"""Thresholds, baselines and tolerances: what passes, what fails, what cannot be compared."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluated_sets import COUNT, pictures, write_set
from hypothesis import given
from hypothesis import strategies as st

from pgan_toolkit.errors import CheckFailed, DataError, UsageError
from pgan_toolkit.evaluation import (
    Conditions,
    EvaluationSettings,
    Report,
    Thresholds,
    Tolerance,
    evaluate,
)
from pgan_toolkit.evaluation.comparing import (
    Measured,
    Score,
    judge,
    report_json,
    report_markdown,
    report_text,
)
from pgan_toolkit.metrics import Result

QUIET = EvaluationSettings(mode="quiet", device="cpu")
DRAWS = "seed 0"


def report(
    value: float = 10.0,
    *,
    name: str = "swd.avg",
    metric: str = "swd",
    better: str = "lower",
    error: float | None = None,
    repeats: tuple[float, ...] = (),
    deviations: tuple[str, ...] = (),
    real: str = "aa",
    images: int = 100,
    rule: str = "published",
) -> Report:
    """A report of one number."""
    result = Result(metric=metric, value=value, images={"real": images}, convention="c")
    score = Score(
        name=name, metric=metric, value=value, better=better, headline=True,
        standard_error=error, repeats=repeats,
    )  # fmt: skip
    measured = Measured(result=result, deviations=deviations, pictures={"real": real}, draws=DRAWS)
    return Report(
        real={"path": "real", "images": images}, fake={"path": "fake", "images": images},
        measured={metric: measured}, scores={name: score}, rule=rule,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "limit", "status"),
    [
        ("max", 10.0, "pass"),
        ("max", 9.99, "fail"),
        ("max", 10.01, "pass"),
        ("min", 10.0, "pass"),
        ("min", 9.99, "pass"),
        ("min", 10.01, "fail"),
    ],
)
def test_the_limit_itself_passes(kind: str, limit: float, status: str) -> None:
    assert report(10.0).verdict("swd.avg", kind=kind, limit=limit).status == status


@pytest.mark.parametrize("kind", ["max", "min"])
def test_what_is_no_number_fails(kind: str) -> None:
    assert report(math.nan).verdict("swd.avg", kind=kind, limit=0.0).status == "fail"


def test_a_number_whose_protocol_was_not_followed_fails_loudly() -> None:
    found = report(1.0, deviations=("real: 2,000 of 16,384 images",))
    verdict = found.verdict("swd.avg", kind="max", limit=12)
    assert verdict.status == "fail"
    assert verdict.message == (
        "protocol not followed (real: 2,000 of 16,384 images), so that nothing can be said of: "
        "swd.avg is 1; demanded: at most 12"
    )
    allowed = replace(found, rule="any").verdict("swd.avg", kind="max", limit=12)
    assert allowed.status == "pass"
    assert allowed.caution == "protocol not followed (real: 2,000 of 16,384 images)"
    assert replace(found, rule="any").verdict("swd.avg", kind="max", limit=0.5).caution == ""


@pytest.mark.slow
def test_a_number_of_images_that_was_asked_for_is_the_protocol(tmp_path: Path) -> None:
    sets = [write_set(tmp_path / side, pictures(n)) for n, side in enumerate(("real", "fake"))]
    wide = Conditions(thresholds=Thresholds(most={"swd.avg": 1e6}))
    published = evaluate(*sets, metrics=["swd"], conditions=wide, settings=QUIET)
    assert published.status == "fail"
    assert published.measured["swd"].deviations == (
        "real: 40 of 16,384 images",
        "fake: 40 of 16,384 images",
    )
    declared = evaluate(*sets, metrics=["swd"], images=40, conditions=wide, settings=QUIET)
    assert (declared.status, declared.rule) == ("pass", "declared")
    assert declared.scores == published.scores
    too_many = evaluate(*sets, metrics=["swd"], images=41, conditions=wide, settings=QUIET)
    assert too_many.status == "fail"
    assert "real: 40 of 41 images" in too_many.verdicts[0].message
    allowed = replace(wide, allow_deviation=True)
    let = evaluate(*sets, metrics=["swd"], conditions=allowed, settings=QUIET)
    assert (let.status, let.rule) == ("pass", "any")
    assert "40 of 16,384" in let.verdicts[0].caution


@pytest.mark.usefixtures("small_inception")
def test_a_number_of_images_that_was_asked_for_declares_no_other_weights(tmp_path: Path) -> None:
    sets = [write_set(tmp_path / side, pictures(n)) for n, side in enumerate(("real", "fake"))]
    wide = Conditions(thresholds=Thresholds(most={"fid": 1e6, "swd.avg": 1e6}))
    report = evaluate(*sets, metrics=["fid", "swd"], images=40, conditions=wide, settings=QUIET)
    assert report.measured["fid"].deviations == ("it is small",)
    assert {each.score: each.status for each in report.verdicts} == {
        "fid": "fail",
        "swd.avg": "pass",
    }
    assert report.verdicts[0].message.startswith("protocol not followed (it is small)")


def test_a_number_and_what_was_demanded_look_different_where_they_are() -> None:
    failed = report(58.02541).verdict("swd.avg", kind="max", limit=58.02539)
    assert failed.message == "swd.avg is 58.02541; demanded: at most 58.02539"


def test_a_number_and_the_baseline_look_different_where_they_are(tmp_path: Path) -> None:
    [verdict] = against(report(58.02541), report(58.02539), "0", tmp_path).verdicts
    assert verdict.message.startswith("swd.avg is 58.02541, baseline 58.02539 (lower is better)")


def test_require_is_an_assertion() -> None:
    found = report(10.0)
    found.require("swd.avg", max=12, min=8)
    with pytest.raises(CheckFailed, match=r"swd\.avg is 10; demanded: at most 9"):
        found.require("swd.avg", max=9)
    with pytest.raises(CheckFailed, match="at least 11"):
        found.require("swd.avg", max=12, min=11)
    with pytest.raises(UsageError, match="nothing is demanded"):
        found.require("swd.avg")
    with pytest.raises(UsageError, match="fid: was not measured"):
        found.require("fid", max=9)
    with pytest.raises(CheckFailed, match="protocol not followed"):
        report(1.0, deviations=("fake: 2 of 3 images",)).require("swd.avg", max=9)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("swd.average", r"did you mean swd\.avg\?"),
        ("swd.0128", "no such number"),
        ("FID", "no such number"),
        ("precission", "did you mean precision"),
    ],
)
def test_thresholds_of_unknown_numbers_are_refused(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Thresholds(most={name: 1.0})


@pytest.mark.parametrize("limit", [math.nan, math.inf, -math.inf])
def test_thresholds_are_finite(limit: float) -> None:
    with pytest.raises(UsageError, match="expected a number"):
        Thresholds(least={"fid": limit})


def test_a_level_that_the_pictures_do_not_have_is_refused_before_the_work(tmp_path: Path) -> None:
    real = write_set(tmp_path / "real", pictures(0, 4))
    (real / "003.png").write_bytes(b"no picture")  # would be told, were it read
    conditions = Conditions(thresholds=Thresholds(most={"swd.128": 1.0}))
    with pytest.raises(
        UsageError, match=r"swd\.128: the pictures have the levels swd\.32, swd\.16"
    ):
        evaluate(real, real, images=3, conditions=conditions, settings=QUIET)


def test_a_threshold_of_a_metric_that_is_not_measured_is_refused(tmp_path: Path) -> None:
    real = write_set(tmp_path / "real", pictures(0, 4))
    conditions = Conditions(thresholds=Thresholds(most={"fid": 1.0}))
    with pytest.raises(UsageError, match="fid: judged by a threshold, but not among the metrics"):
        evaluate(real, real, metrics=["swd"], conditions=conditions, settings=QUIET)


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("2se", 2, "se"), ("5%", 5, "%"), ("0.1", 0.1, ""), (".5se", 0.5, "se"),
        ("5e-05", 0.00005, ""), ("1E3", 1000, ""), ("1e+1%", 10, "%"),
    ],
)  # fmt: skip
def test_tolerances_are_read(text: str, amount: float, unit: str) -> None:
    assert Tolerance.parse(text) == Tolerance(amount, unit)


@pytest.mark.parametrize("amount", [0, 2, 0.1, 1 / 3, 5e-5, 1e22])
@pytest.mark.parametrize("unit", ["se", "%", ""])
def test_a_tolerance_is_what_it_is_written_as(amount: float, unit: str) -> None:
    assert Tolerance.parse(str(Tolerance(amount, unit))) == Tolerance(amount, unit)
    assert str(Tolerance(2, "se")) == "2se"


@pytest.mark.parametrize("text", ["9" * 400, "1e999%"])
def test_a_tolerance_that_lets_everything_pass_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"tolerance inf%?: expected a finite number"):
        Tolerance.parse(text)
    with pytest.raises(UsageError, match="tolerance -1: expected a finite number from 0"):
        Tolerance(-1, "")


@pytest.mark.parametrize("text", ["", "se", "-1", "1e", "2 se", "nan", "5%%", "0x1", "1,5"])
def test_other_tolerances_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected standard errors"):
        Tolerance.parse(text)


def against(now: Report, before: Report, tolerance: str, folder: Path) -> Report:
    path = folder / "base.json"
    path.write_bytes(report_json(before))
    return judge(now, Conditions(baseline=path, tolerance=Tolerance.parse(tolerance)))


@pytest.mark.parametrize(
    ("now", "before", "better", "tolerance", "status", "said"),
    [
        (10.0, 10.0, "lower", "0", "pass", "not worse"),
        (9.0, 10.0, "lower", "0", "pass", "not worse"),
        (10.4, 10.0, "lower", "5%", "pass", "within the tolerance"),
        (10.6, 10.0, "lower", "5%", "fail", "a regression"),
        (10.6, 10.0, "lower", "0.7", "pass", "within the tolerance"),
        (10.8, 10.0, "lower", "0.7", "fail", "a regression"),
        (9.6, 10.0, "higher", "5%", "pass", "within the tolerance"),
        (9.4, 10.0, "higher", "5%", "fail", "a regression"),
        (99.0, 10.0, "higher", "0", "pass", "not worse"),
        (-0.4, -0.5, "lower", "10%", "fail", "a regression"),
        (math.nan, 10.0, "lower", "5%", "fail", "a regression"),
    ],
)
def test_regressions_by_percent_and_amount(
    now: float, before: float, better: str, tolerance: str, status: str, said: str, tmp_path: Path
) -> None:
    found = against(report(now, better=better), report(before, better=better), tolerance, tmp_path)
    [verdict] = found.verdicts
    assert (verdict.status, found.status) == (status, status)
    assert said in verdict.message


def test_errors_of_two_runs_add_in_squares(tmp_path: Path) -> None:
    before = report(10.0, error=0.3)
    for value, status in ((10.99, "pass"), (11.01, "fail")):
        found = against(report(value, error=0.4), before, "2se", tmp_path)
        assert found.verdicts[0].status == status
        assert found.verdicts[0].margin == pytest.approx(2 * 0.5)


def test_repeats_of_the_same_draws_are_paired(tmp_path: Path) -> None:
    first, second = (10.0, 11.0, 12.0, 13.0), (10.1, 11.2, 12.1, 13.2)
    before, now = (
        report(float(np.mean(each)), error=float(np.std(each, ddof=1)) / 2, repeats=each)
        for each in (first, second)
    )
    [verdict] = against(now, before, "2se", tmp_path).verdicts
    differences = np.subtract(second, first)
    assert verdict.margin == pytest.approx(2 * differences.std(ddof=1) / 2)
    assert verdict.status == "fail"
    assert "paired over 4 groups of images" in verdict.message


def test_repeats_of_other_draws_are_not_paired(tmp_path: Path) -> None:
    before = report(10.0, error=1.0, repeats=(9.0, 11.0))
    measured = {"swd": replace(before.measured["swd"], draws="seed 1")}
    now = replace(report(10.5, error=1.0, repeats=(9.5, 11.5)), measured=measured)
    [verdict] = against(now, before, "2se", tmp_path).verdicts
    assert verdict.margin == pytest.approx(2 * math.sqrt(2))


def test_repeats_that_the_error_is_not_over_are_not_paired(tmp_path: Path) -> None:
    """Those of directions beside the error of a bootstrap, say."""
    before = report(10.0, error=1.0, repeats=(9.9, 10.0, 10.1, 10.0))
    now = report(10.5, error=1.0, repeats=(10.4, 10.5, 10.6, 10.5))
    [verdict] = against(now, before, "2se", tmp_path).verdicts
    assert verdict.status == "pass"
    assert verdict.margin == pytest.approx(2 * math.sqrt(2))
    assert "paired" not in verdict.message


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (report(real="bb"), r"real pictures are others \(SHA-256 bb"),
        (report(images=99), "images 99 real now, 100 real in the baseline"),
        (report(name="fid", metric="fid"), "not measured now"),
        (report(error=1.0), "standard error is not known"),
    ],
)
def test_what_was_measured_otherwise_is_not_comparable(
    now: Report, reason: str, tmp_path: Path
) -> None:
    found = against(now, report(), "2se", tmp_path)
    assert found.status == "not comparable"
    assert re.search(reason, found.verdicts[0].message)


def test_what_is_not_comparable_is_not_shown_beside_its_baseline(tmp_path: Path) -> None:
    alike = against(report(9.0, error=1.0), report(error=1.0), "2se", tmp_path)
    other = against(report(9.0, error=1.0, real="bb"), report(error=1.0), "2se", tmp_path)
    for show in (report_text, report_markdown):
        assert "(was 10)" in show(alike)
        assert "(was" not in show(other)


def test_a_number_that_the_baseline_lacks_is_not_judged(tmp_path: Path) -> None:
    now = report(error=1.0)
    more = replace(now, scores={**now.scores, "fid": replace(now.scores["swd.avg"], name="fid")})
    assert [each.score for each in against(more, now, "2se", tmp_path).verdicts] == ["swd.avg"]


def test_a_failed_verdict_weighs_more_than_one_that_cannot_be_compared(tmp_path: Path) -> None:
    path = tmp_path / "base.json"
    path.write_bytes(report_json(report(real="bb")))
    both = Conditions(baseline=path, thresholds=Thresholds(most={"swd.avg": 1.0}))
    found = judge(report(), both)
    assert {each.status for each in found.verdicts} == {"fail", "not comparable"}
    assert found.status == "fail"


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"null", b'{"format": "x", "version": 1}', b"\xff\xfe", b"[" * 100_000,
     b'{"format": "pgan-toolkit evaluation", "version": 2}',
     b'{"format": "pgan-toolkit evaluation", "version": 1}'],
)  # fmt: skip
def test_what_is_no_baseline_is_told_before_the_work(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "base.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"base\.json"):
        evaluate("nowhere", "nowhere", conditions=Conditions(baseline=path), settings=QUIET)
    with pytest.raises(UsageError, match=r"none\.json: no such file"):
        judge(report(), Conditions(baseline=tmp_path / "none.json"))


def test_the_same_sets_are_no_regression_and_worse_ones_are(tmp_path: Path) -> None:
    real, fake = (write_set(tmp_path / f"{n}", pictures(n, COUNT)) for n in (0, 5))
    noise = np.random.default_rng(0).integers(0, 256, (COUNT, 32, 32, 3), dtype=np.uint8)
    noisy = write_set(tmp_path / "noisy", noise)
    before = evaluate(real, fake, metrics=["swd"], settings=QUIET)
    path = tmp_path / "base.json"
    path.write_bytes(report_json(before))
    conditions = Conditions(baseline=path)
    again = evaluate(real, fake, metrics=["swd"], conditions=conditions, settings=QUIET)
    assert (again.status, again.scores) == ("pass", before.scores)
    assert "paired over 10 groups of images" in again.verdicts[0].message
    worse = evaluate(real, noisy, metrics=["swd"], conditions=conditions, settings=QUIET)
    assert worse.status == "fail"
    other = evaluate(noisy, fake, metrics=["swd"], conditions=conditions, settings=QUIET)
    assert other.status == "not comparable"


numbers = st.floats(-1e6, 1e6)


@given(
    now=numbers,
    before=numbers,
    amount=st.floats(0, 1e3),
    better=st.sampled_from(["lower", "higher"]),
)
def test_better_never_fails_and_more_tolerance_never_does(
    now: float, before: float, amount: float, better: str
) -> None:
    from pgan_toolkit.evaluation.comparing.baselines import judge_baseline

    old, new = report(before, better=better), report(now, better=better)
    [strict] = judge_baseline(new, old, Tolerance(amount, ""))
    [loose] = judge_baseline(new, old, Tolerance(2 * amount, ""))
    if (now <= before) if better == "lower" else (now >= before):
        assert strict.status == "pass"
    assert not (strict.status == "pass" and loose.status == "fail")
