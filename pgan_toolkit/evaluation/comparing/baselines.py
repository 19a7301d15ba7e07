"""Comparison with an earlier report, which takes what is not known into account."""

import math
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pgan_toolkit.errors import UsageError
from pgan_toolkit.evaluation.comparing.outcomes import Measured, Score, Verdict
from pgan_toolkit.evaluation.comparing.report import Report
from pgan_toolkit.evaluation.comparing.text import number_text, number_texts

__all__ = ["DEFAULT_TOLERANCE", "Tolerance", "judge_baseline"]

_FORM = re.compile(r"((?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(se|%|)")


@dataclass(frozen=True)
class Tolerance:
    """How far from a baseline a number may be on the worse side.

    Attributes
    ----------
    amount : float
        How much, 0 or more.
    unit : {"se", "%", ""}
        Standard errors of the difference, percent of the baseline, or the number's own unit.

    Raises
    ------
    UsageError
        The amount is negative or not finite: everything would pass.
    """

    amount: float
    unit: Literal["se", "%", ""]

    def __post_init__(self) -> None:
        if not (self.amount >= 0 and math.isfinite(self.amount)):
            raise UsageError(
                f"tolerance {self}: expected a finite number from 0, such as 2se, 5% or 0.1"
            )

    @classmethod
    def parse(cls, text: str) -> "Tolerance":
        """Read "2se", "5%", "0.1" or "5e-05".

        Raises
        ------
        UsageError
            It has another form, or is too large for a float.
        """
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise UsageError(
                f"tolerance {text!r}: expected standard errors of the difference (2se), percent "
                "(5%) or a number (0.1)"
            )
        unit: Literal["se", "%", ""] = {"se": "se", "%": "%"}.get(found[2], "")  # type: ignore[assignment]
        return cls(float(found[1]), unit)

    def margin(self, before: float, *, error: float | None) -> float | None:
        """Return how far from a baseline is no regression, in the number's own unit.

        Parameters
        ----------
        before : float
            The value of the baseline.
        error : float | None
            The standard error of the difference from it; None where it is not known.

        Returns
        -------
        float | None
            None where it would be of standard errors that are not known.
        """
        if self.unit == "%":
            return abs(before) * self.amount / 100
        if self.unit == "":
            return self.amount
        if error is None or not math.isfinite(error):
            return None
        return self.amount * error

    def __str__(self) -> str:
        return f"{float(self.amount)!r}".removesuffix(".0") + self.unit


DEFAULT_TOLERANCE = Tolerance(2, "se")


def judge_baseline(report: Report, baseline: Report, tolerance: Tolerance) -> Iterable[Verdict]:
    """Give a verdict on each number that is compared: the headlines of the baseline's metrics.

    Numbers that the baseline does not have are not judged. One that it has and the report has not,
    or that was measured by another protocol or against other real pictures, is not comparable.

    Parameters
    ----------
    report, baseline : Report
        Now, and earlier.
    tolerance : Tolerance
        How much worse is no regression.
    """
    for name, before in baseline.scores.items():
        if before.headline:
            yield _judge(report, baseline, name, tolerance)


def _judge(report: Report, baseline: Report, name: str, tolerance: Tolerance) -> Verdict:
    before, after = baseline.scores[name], report.scores.get(name)
    if after is None:
        why = report.skipped.get(before.metric, "the metric is not among those measured now")
        return _not_comparable(name, before, None, f"it was not measured now: {why}")
    now, then = report.measured[after.metric], baseline.measured[before.metric]
    if difference := _other_protocol(now, then):
        return _not_comparable(name, before, after, difference)
    margin, how = _margin(after, before, tolerance, paired=_are_paired(now, then))
    if margin is None:
        return _not_comparable(name, before, after, how)
    verdict = _compared(after, before, margin=margin, how=how)
    return replace(verdict, caution=now.caution if verdict.status == "pass" else "")


def _compared(after: Score, before: Score, *, margin: float, how: str) -> Verdict:
    change = after.value - before.value
    now, then = number_texts(after.value, before.value)
    worse = change if after.better == "lower" else -change
    if worse <= 0:
        outcome = "not worse"
    else:
        outcome = "within the tolerance, no regression" if worse <= margin else "a regression"
    return Verdict(
        score=after.name,
        kind="baseline",
        status="pass" if worse <= margin else "fail",
        message=f"{after.name} is {now}, baseline {then}"
        f" ({after.better} is better): {outcome}; tolerance {number_text(margin)}, {how}",
        value=after.value,
        limit=before.value,
        margin=margin,
    )


def _margin(
    after: Score, before: Score, tolerance: Tolerance, *, paired: bool
) -> tuple[float | None, str]:
    """Return how much worse is allowed, and where that comes from; None and why it is not known."""
    if tolerance.unit == "%":
        return abs(before.value) * tolerance.amount / 100, f"{tolerance} of the baseline"
    if tolerance.unit == "":
        return tolerance.amount, "as given"
    error = None
    how = f"{tolerance.amount:g} standard errors of the difference"
    now, then = _groups(after), _groups(before)
    if paired and len(now) == len(then) > 1:
        error = _error_of_mean([a - b for a, b in zip(now, then, strict=True)])
        how += f", paired over {len(now)} groups of images"
    elif after.standard_error is not None and before.standard_error is not None:
        error = math.hypot(after.standard_error, before.standard_error)
    if error is None or not math.isfinite(error):
        return None, "a standard error is not known: give the tolerance in percent, such as 5%"
    return tolerance.amount * error, how


def _groups(score: Score) -> Sequence[float]:
    """The values in groups of images; none where the error of the score is not over its repeats.

    A report of a bootstrap may hold repeats of other directions, whose spread is far too small.
    """
    if len(score.repeats) < 2 or score.standard_error is None:
        return ()
    error = _error_of_mean(score.repeats)
    return score.repeats if math.isclose(error, score.standard_error, rel_tol=1e-6) else ()


def _error_of_mean(values: Sequence[float]) -> float:
    return statistics.stdev(values) / math.sqrt(len(values))


def _are_paired(now: Measured, then: Measured) -> bool:
    return bool(now.draws) and now.draws == then.draws


def _other_protocol(now: Measured, then: Measured) -> str:
    """Say in what two measurements differ that must be alike; "" if in nothing."""
    if now.pictures.get("real") != then.pictures.get("real"):
        digests = [str(each.pictures.get("real"))[:8] for each in (now, then)]
        seeds = [each.result.seed for each in (now, then)]
        if None not in seeds and seeds[0] != seeds[1]:
            return (
                f"the real pictures are others: --seed, which chooses them, is {seeds[0]} now and "
                f"{seeds[1]} in the baseline"
            )
        return (
            f"the real pictures are others (SHA-256 {digests[0]}... now, {digests[1]}... in the "
            "baseline)"
        )
    for what in ("images", "convention", "extractor"):
        mine, other = getattr(now.result, what), getattr(then.result, what)
        if mine != other:
            return f"{what} {_said(mine)} now, {_said(other)} in the baseline"
    return ""


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count:,} {side}" for side, count in value.items())
    return str(value)


def _not_comparable(name: str, before: Score, after: Score | None, why: str) -> Verdict:
    return Verdict(
        score=name,
        kind="baseline",
        status="not comparable",
        message=f"{name} cannot be compared with the baseline: {why}",
        value=None if after is None else after.value,
        limit=before.value,
    )
