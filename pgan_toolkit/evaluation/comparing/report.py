"""What an evaluation found, as every page and file about it shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pgan_toolkit.errors import CheckFailed, UsageError
from pgan_toolkit.evaluation.comparing.catalogue import metric_of
from pgan_toolkit.evaluation.comparing.outcomes import (
    BaselineNote,
    Measured,
    Rule,
    Score,
    Status,
    Verdict,
)
from pgan_toolkit.evaluation.comparing.text import number_texts

__all__ = ["Report"]


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that an evaluation found.

    Attributes
    ----------
    real, fake : Mapping
        What was read of each side, as `ImageStream.describe` gives it: path, images, images_in_set,
        chosen_by_seed, sizes, encodings, unreadable, sha256.
    measured : Mapping of str to Measured
        Metric ("swd", "ms-ssim", "fid", "kid", "precision-recall", "inception-score", "modes") ->
        how it came out.
    scores : Mapping of str to Score
        All numbers, by name, in the order in which they are shown.
    skipped : Mapping of str to str
        Metric -> why it was not measured.
    verdicts : tuple of Verdict
        Of all conditions; empty if there were none.
    findings : tuple of str | None
        What is wrong with the fake pictures, in sentences; None where nobody looked,
        or at too few to say.
    rule : {"published", "declared", "any"}
        What thresholds took for the protocol.
    declared_images : int | None
        Images a side, at most, that the user asked for; None: the published numbers.
    seed : int
        Of all that was drawn.
    device : str
        Where it was computed.
    created : str
        When, ISO 8601, UTC.
    seconds : float
        How long it took.
    memory_mib : float
        The largest resident memory of the process so far.
    versions : Mapping of str to str
        Of the libraries.
    baseline : BaselineNote | None
        What it was compared with.
    """

    real: Mapping[str, Any]
    fake: Mapping[str, Any]
    measured: Mapping[str, Measured]
    scores: Mapping[str, Score]
    skipped: Mapping[str, str] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    findings: tuple[str, ...] | None = None
    rule: Rule = "published"
    declared_images: int | None = None
    seed: int = 0
    device: str = "cpu"
    created: str = ""
    seconds: float = 0.0
    memory_mib: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)
    baseline: BaselineNote | None = None

    @property
    def status(self) -> Status:
        """The worst of the verdicts; "pass" where there are none."""
        found = {verdict.status for verdict in self.verdicts}
        order: tuple[Status, ...] = ("fail", "not comparable")
        return next((status for status in order if status in found), "pass")

    @property
    def warnings(self) -> tuple[str, ...]:
        """Of all metrics, each once."""
        return tuple(
            dict.fromkeys(text for each in self.measured.values() for text in each.result.warnings)
        )

    def before(self, score: Score) -> float | None:
        """Return what a number was in the baseline; None if it cannot be compared with that."""
        if self.baseline is None or score.name not in self.baseline.values:
            return None
        unlike = {each.score for each in self.verdicts if each.status == "not comparable"}
        of_metric = {each.name for each in self.scores.values() if each.metric == score.metric}
        return None if unlike & of_metric else self.baseline.values[score.name]

    def verdict(self, name: str, *, kind: Literal["max", "min"], limit: float) -> Verdict:
        """Judge one number by a threshold.

        A number whose protocol was not followed fails, whatever it is, unless the rule is "any";
        then it may pass, with a caution.

        Parameters
        ----------
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
        if metric in self.skipped:
            raise UsageError(f"{name}: was not measured: {self.skipped[metric]}")
        if name not in self.scores:
            raise UsageError(f"{name}: was not measured; there are {', '.join(self.scores)}")
        value = self.scores[name].value
        kept = value <= limit if kind == "max" else value >= limit
        unmet = self.measured[metric].caution
        relation = "at most" if kind == "max" else "at least"
        found, demanded = number_texts(value, limit)
        message = f"{name} is {found}; demanded: {relation} {demanded}"
        if unmet and self.rule != "any":
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

    def require(
        self,
        name: str,
        *,
        max: float | None = None,  # noqa: A002 - as thresholds are called
        min: float | None = None,  # noqa: A002
    ) -> None:
        """Demand something of a number, in a test.

        Parameters
        ----------
        name : str
            Of the number: "swd.avg".
        max, min : float | None
            What it may be at most, or must be at least.

        Raises
        ------
        CheckFailed
            It is not so, or the protocol was not followed; the message says what it is.
        UsageError
            There is no number of that name, it was not measured, or nothing is demanded.
        """
        if max is None and min is None:
            raise UsageError(f"{name}: nothing is demanded; give max, min or both")
        limits: tuple[tuple[Literal["max", "min"], float | None], ...] = (
            ("max", max),
            ("min", min),
        )
        for kind, limit in limits:
            if limit is None:
                continue
            found = self.verdict(name, kind=kind, limit=limit)
            if found.status != "pass":
                raise CheckFailed(found.message)
