"""What an evaluation found, as every page and file about it shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pgan_toolkit.metrics.result import Result

__all__ = ["BaselineNote", "Better", "Measured", "Report", "Rule", "Score", "Status", "Verdict"]

Better = Literal["lower", "higher"]
Rule = Literal["published", "declared", "any"]
"""What a threshold takes for the protocol: the published counts of images, those that the user
declared with a number of images, or whatever was measured."""
Status = Literal["pass", "fail", "not comparable"]


@dataclass(frozen=True, kw_only=True)
class Score:
    """One number that can be judged.

    Attributes
    ----------
    name : str
        As thresholds name it: "swd.avg", "swd.128", "fid".
    metric : str
        The metric that it is of: a key of `Report.measured`.
    value : float
        The number.
    better : {"lower", "higher"}
        Which is better.
    headline : bool
        Whether it is compared with a baseline where nothing else is said: levels are not.
    standard_error : float | None
        Of `value`; None where it is not known.
    repeats : tuple of float
        The values whose mean is `value`, where there are any: a repeat of another evaluation with
        the same `Measured.draws` used the same patches and directions.
    """

    name: str
    metric: str
    value: float
    better: Better
    headline: bool
    standard_error: float | None = None
    repeats: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One metric, and how it was measured.

    Attributes
    ----------
    result : Result
        What the metric returned, with its warnings.
    deviations : tuple of str
        How the protocol was not followed: "fake: 2,000 of 16,384 images"; empty if it was.
    pictures : Mapping of str to str
        Side -> SHA-256 over the pictures that the metric used of it.
    draws : str
        What names the random draws: two results with equal draws and equal real pictures are
        paired. "" where nothing is drawn.
    """

    result: Result
    deviations: tuple[str, ...] = ()
    pictures: Mapping[str, str] = field(default_factory=dict)
    draws: str = ""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one condition.

    Attributes
    ----------
    score : str
        The name of the number that was judged.
    kind : {"max", "min", "baseline"}
        A threshold, or a comparison with a baseline.
    status : {"pass", "fail", "not comparable"}
        The outcome.
    message : str
        One sentence that says why, with the numbers.
    value : float | None
        What was measured; None where it was not.
    limit : float | None
        The threshold, or the value of the baseline.
    margin : float | None
        How far from the baseline's value is no regression; None of a threshold.
    caution : str
        What has to be said loudly beside a pass: the protocol that was not followed. Else "".
    """

    score: str
    kind: Literal["max", "min", "baseline"]
    status: Status
    message: str
    value: float | None
    limit: float | None
    margin: float | None = None
    caution: str = ""


@dataclass(frozen=True, kw_only=True)
class BaselineNote:
    """The earlier report that a report was compared with.

    Attributes
    ----------
    path : str
        Where it was read.
    created : str
        When it was made, ISO 8601, UTC.
    tolerance : str
        As it was given: "2se", "5%", "0.1".
    values : Mapping of str to float
        Its numbers by name.
    """

    path: str
    created: str
    tolerance: str
    values: Mapping[str, float]


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
