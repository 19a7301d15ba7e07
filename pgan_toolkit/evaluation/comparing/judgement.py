"""Thresholds: what is demanded of numbers, and the verdicts on it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pgan_toolkit.errors import UsageError
from pgan_toolkit.evaluation.comparing.catalogue import metric_of
from pgan_toolkit.evaluation.comparing.outcomes import Verdict
from pgan_toolkit.evaluation.comparing.report import Report

__all__ = ["Thresholds", "judge_thresholds"]


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
        yield report.verdict(name, kind="max", limit=limit)
    for name, limit in thresholds.least.items():
        yield report.verdict(name, kind="min", limit=limit)
