"""What can be measured: metrics, what each takes, and the numbers that come out of it."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pgan_toolkit.errors import UsageError
from pgan_toolkit.evaluation.comparing.outcomes import Better, Score
from pgan_toolkit.metrics.kid import FEWEST_KID_IMAGES
from pgan_toolkit.metrics.result import Result

__all__ = ["METRICS", "SCORES", "MetricKind", "metric_of", "nearest", "require_metric", "scores_of"]


@dataclass(frozen=True, kw_only=True)
class MetricKind:
    """What a metric takes.

    Attributes
    ----------
    needs : {"pixels", "inception", "digits"}
        The network that it looks with, if any.
    images : Mapping of str to int
        Side -> how many its published protocol takes; all of a side that is not named.
    least : Mapping of str to int
        Side -> how few its protocol can do with, where it names no number.
    fewest : int
        How few of each side it can be computed of at all, with its own defaults.
    by_default : bool
        Whether it is measured where no metrics are named.
    """

    needs: Literal["pixels", "inception", "digits"]
    images: Mapping[str, int]
    least: Mapping[str, int] = field(default_factory=dict)
    fewest: int = 1
    sides: tuple[str, ...] = ("real", "fake")
    by_default: bool = True


METRICS: Mapping[str, MetricKind] = {
    "swd": MetricKind(needs="pixels", images={"real": 16_384, "fake": 16_384}),
    "ms-ssim": MetricKind(needs="pixels", images={"fake": 20_000}, fewest=2, sides=("fake",)),
    "fid": MetricKind(needs="inception", images={"fake": 50_000}, least={"real": 2048}, fewest=2),
    "kid": MetricKind(
        needs="inception",
        images={},
        least={"real": 2000, "fake": 2000},
        fewest=FEWEST_KID_IMAGES,
    ),
    "precision-recall": MetricKind(
        needs="inception",
        images={"real": 50_000, "fake": 50_000},
        fewest=6,  # density asks for five neighbours of each
    ),
    "inception-score": MetricKind(
        needs="inception",
        images={"fake": 50_000},
        fewest=10,  # one a split
        sides=("fake",),
    ),
    "modes": MetricKind(
        needs="digits", images={"fake": 256_000}, sides=("fake",), by_default=False
    ),
}
"""Metric -> what it takes, in the order of reports."""


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """Where a number stands in the result of its metric."""

    metric: str
    component: str | None
    better: Better


SCORES: Mapping[str, _Kind] = {
    "swd.avg": _Kind(metric="swd", component=None, better="lower"),
    "ms-ssim": _Kind(metric="ms-ssim", component=None, better="lower"),
    "fid": _Kind(metric="fid", component=None, better="lower"),
    "kid": _Kind(metric="kid", component=None, better="lower"),
    "precision": _Kind(metric="precision-recall", component="precision", better="higher"),
    "recall": _Kind(metric="precision-recall", component="recall", better="higher"),
    "density": _Kind(metric="precision-recall", component="density", better="higher"),
    "coverage": _Kind(metric="precision-recall", component="coverage", better="higher"),
    "inception-score": _Kind(metric="inception-score", component=None, better="higher"),
    "modes.count": _Kind(metric="modes", component="modes", better="higher"),
    "modes.kl": _Kind(metric="modes", component="kl", better="lower"),
}
"""Numbers by name, but for the levels of the SWD: "swd.128", ... of the heights of the levels."""

_LEVEL = re.compile(r"swd\.[1-9][0-9]*")


def metric_of(score: str) -> str:
    """Return the metric that a number is of.

    Raises
    ------
    UsageError
        There is no number of that name; the nearest is told.
    """
    if _LEVEL.fullmatch(score):
        return "swd"
    if score in SCORES:
        return SCORES[score].metric
    raise UsageError(
        f"{score!r}: no such number; {nearest(score, SCORES)}and levels of the SWD: swd.128"
    )


def require_metric(name: str) -> None:
    """Refuse what is no metric.

    Raises
    ------
    UsageError
        The nearest is told.
    """
    if name not in METRICS:
        raise UsageError(f"{name!r}: no such metric; {nearest(name, METRICS).removesuffix(', ')}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "did you mean ...? There are ..., " for a name that is not known."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}There are {', '.join(names)}, "


def scores_of(result: Result) -> dict[str, Score]:
    """Return the numbers of a metric's result, by name, in the order of reports."""
    found = [
        _score(name, result, component=kind.component, better=kind.better, headline=True)
        for name, kind in SCORES.items()
        if kind.metric == result.metric
    ]
    if result.metric == "swd":
        found += [
            _score(f"swd.{level}", result, component=level, better="lower", headline=False)
            for level in result.components
        ]
    return {score.name: score for score in found}


def _score(
    name: str, result: Result, *, component: str | None, better: Better, headline: bool
) -> Score:
    if component is None:
        value, error = result.value, result.standard_error
        repeats = tuple(
            sum(each) / len(each) for each in zip(*result.repeats.values(), strict=True)
        )
    else:
        value, error = result.components[component], result.component_errors.get(component)
        repeats = tuple(result.repeats.get(component, ()))
    return Score(
        name=name,
        metric=result.metric,
        value=value,
        better=better,
        headline=headline,
        standard_error=error,
        repeats=repeats,
    )
