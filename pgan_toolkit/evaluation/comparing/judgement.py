"""Thresholds: what is demanded of numbers, and the verdicts on it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pgan_toolkit.errors import UsageError
from pgan_toolkit.evaluation.comparing.catalogue import metric_of
from pgan_toolkit.evaluation.comparing.report import Report, Verdict
from pgan_toolkit.evaluation.comparing.text import number_text

__all__ = ["Thresholds", "judge_threshold", "judge_thresholds"]


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What is demanded of numbers.

    Attributes
    ----------
    most, least : Mapping of str to float
        Name of a number -> what it may be at most, or must be at least; the limit itself passes.

    Raises
    ------
    UsageError
        There is no number of that name, or a limit is not finite.
    """

    most: Mapping[str, float] = field(default_factory=dict)
    least: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, limit in (*self.most.items(), *self.least.items()):
            metric_of(name)
            if not math.isfinite(limit):
                raise UsageError(f"{name}: threshold {limit}; expected a number")

    def scores(self) -> tuple[str, ...]:
        """Return the names of the numbers that are judged, each once."""
        return tuple(dict.fromkeys((*self.most, *self.least)))

    def metrics(self) -> frozenset[str]:
        """Return the metrics that they are of."""
        return frozenset(map(metric_of, self.scores()))


def judge_thresholds(report: Report, thresholds: Thresholds) -> Iterable[Verdict]:
    """Give the verdict on each threshold.

    Raises
    ------
    UsageError
        The SWD has no level of that name.
    """
    for name, limit in thresholds.most.items():
        yield judge_threshold(report, name, kind="max", limit=limit)
    for name, limit in thresholds.least.items():
        yield judge_threshold(report, name, kind="min", limit=limit)


def judge_threshold(
    report: Report, name: str, *, kind: Literal["max", "min"], limit: float
) -> Verdict:
    """Judge one number of a report.

    A number whose protocol was not followed fails, whatever it is, unless the report's rule is
    "any"; then it may pass, with a caution.

    Parameters
    ----------
    report : Report
        Holds the number.
    name : str
        Of the number.
    kind : {"max", "min"}
        What the limit is.
    limit : float
        The threshold; it passes itself.

    Raises
    ------
    UsageError
        There is no number of that name, or the metric was not measured.
    """
    metric = metric_of(name)
    if metric in report.skipped:
        raise UsageError(f"{name}: was not measured: {report.skipped[metric]}")
    if name not in report.scores:
        raise UsageError(f"{name}: was not measured; there are {', '.join(report.scores)}")
    value = report.scores[name].value
    kept = value <= limit if kind == "max" else value >= limit
    relation = ("at most" if kind == "max" else "at least") + f" {number_text(limit)}"
    found = report.measured[metric].deviations
    unmet = f"protocol not followed ({'; '.join(found)})" if found else ""
    message = f"{name} is {number_text(value)}; demanded: {relation}"
    if unmet and report.rule != "any":
        message = f"{unmet}, so that nothing can be said of: {message}"
        kept = False
    return Verdict(
        score=name,
        kind=kind,
        status="pass" if kept else "fail",
        message=message,
        value=value,
        limit=limit,
        caution=unmet if kept else "",
    )
