"""The parts of a report: numbers, how they were measured, and verdicts on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pgan_toolkit.metrics.result import Result

__all__ = ["BaselineNote", "Better", "Measured", "Rule", "Score", "Status", "Verdict"]

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
        The values in groups of the images, over which the standard error is, where there are any.
        Those of another evaluation with the same `Measured.draws` and the same real pictures are
        of the same real images, patches and directions.
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

    @property
    def caution(self) -> str:
        """What has to be said beside its numbers if the protocol was not followed; else ""."""
        if not self.deviations:
            return ""
        return f"protocol not followed ({'; '.join(self.deviations)})"


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
