"""Two sets measured by several metrics in one pass, and judged."""

import resource
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pgan_toolkit.devices import find_device
from pgan_toolkit.engines import Engine
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.evaluation.cache import StatisticsCache
from pgan_toolkit.evaluation.comparing.baselines import (
    DEFAULT_TOLERANCE,
    Tolerance,
    judge_baseline,
)
from pgan_toolkit.evaluation.comparing.catalogue import METRICS, scores_of
from pgan_toolkit.evaluation.comparing.finishing import Finishing
from pgan_toolkit.evaluation.comparing.generators import BATCH_SIZE, GeneratorSource
from pgan_toolkit.evaluation.comparing.judgement import Thresholds, judge_thresholds
from pgan_toolkit.evaluation.comparing.onlookers import Onlooker
from pgan_toolkit.evaluation.comparing.outcomes import BaselineNote, Measured, Score, Verdict
from pgan_toolkit.evaluation.comparing.parts import Parts, images_wanted
from pgan_toolkit.evaluation.comparing.passes import Passes
from pgan_toolkit.evaluation.comparing.report import Report
from pgan_toolkit.evaluation.comparing.report_json import read_report
from pgan_toolkit.evaluation.comparing.selecting import (
    Choice,
    choose_metrics,
    open_tools,
    that_take_the_sets,
)
from pgan_toolkit.evaluation.streams import ImageStream, StreamSettings
from pgan_toolkit.imaging import pixel_library_versions
from pgan_toolkit.metrics.descriptors import SwdSettings, swd_levels
from pgan_toolkit.metrics.result import library_versions
from pgan_toolkit.progress import ProgressMode
from pgan_toolkit.storage import ImageSource, Place

__all__ = ["Conditions", "EvaluationSettings", "evaluate", "judge"]

_MOST_GENERATED = 50_000
"""Pictures that a generator makes where some metric takes all that there are."""


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """How an evaluation is made.

    Attributes
    ----------
    seed : int
        Of all that is drawn: choices of images, patches, directions, the pictures of a generator.
    device : str
        "auto", "cpu", "cuda" or "cuda:N".
    weights : Path | None
        Of the Inception network; None: the public file.
    bootstrap : int
        Draws of the images with replacement, for an interval of the SWD; 0: its error is over ten
        groups of the images. 20 draws make the SWD take 5 times as long.
    skip_bad, batch_size, workers, mode
        As `StreamSettings`.
    generator_batch : int
        Pictures that a generator is asked for at once, at most.
    onlooker : Onlooker | None
        What is shown the pictures too: a `PageLook`, for a page of the report and for sentences on
        what is wrong.
    engine : Engine | None
        Whose workers read the sets, and compute what is taken from each picture; None: this
        process does. The numbers are the same.
    """

    seed: int = 0
    device: str = "auto"
    weights: Path | None = None
    bootstrap: int = 0
    skip_bad: bool = False
    batch_size: int | None = None
    workers: int | None = None
    mode: ProgressMode = "auto"
    generator_batch: int = BATCH_SIZE
    onlooker: Onlooker | None = None
    engine: Engine | None = None

    def stream(self, images: int | None) -> StreamSettings:
        """Return how a set is read of which so many images are used."""
        return StreamSettings(
            images=images,
            seed=self.seed,
            skip_bad=self.skip_bad,
            batch_size=self.batch_size,
            workers=self.workers,
            mode=self.mode,
        )


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What a report is judged by.

    Attributes
    ----------
    thresholds : Thresholds
        What is demanded of numbers.
    allow_deviation : bool
        Whether a number may pass whose protocol was not followed; the report says so loudly.
    baseline : Path | None
        The JSON report of an earlier run.
    tolerance : Tolerance
        How much worse than the baseline is no regression.
    """

    thresholds: Thresholds = field(default_factory=Thresholds)
    allow_deviation: bool = False
    baseline: Path | None = None
    tolerance: Tolerance = DEFAULT_TOLERANCE


def evaluate(
    real: ImageSource | Place | str,
    fake: ImageSource | Place | str | Callable[[int, int], Any],
    *,
    metrics: Sequence[str] | None = None,
    images: int | None = None,
    conditions: Conditions | None = None,
    settings: EvaluationSettings | None = None,
    cache: StatisticsCache | None = None,
) -> Report:
    """Measure two sets by several metrics, each picture decoded once, and judge the numbers.

    Memory: four batches of decoded pictures (16 MiB each, or one picture), the SWD's patches of
    both sides (1.5 GiB each at most, the rest in a temporary file), and the features of both sides
    (16 KiB an image, with the classes 20 KiB), where metrics take features.

    Parameters
    ----------
    real : ImageSource | Place | str
        The real set, or what `open_source` opens.
    fake : ImageSource | Place | str | callable
        The set to be judged; a callable is a `Generate`: it takes a number and a seed.
    metrics : sequence of str | None
        Keys of `METRICS`; None: all that can run here without a download.
    images : int | None
        How many of each side, at most; that is then the protocol that is judged by. None: as many
        as the published protocols take.
    conditions : Conditions | None
        What the report is judged by; None: nothing.
    settings : EvaluationSettings | None
        How it is made; None: the defaults.
    cache : StatisticsCache | None
        Where what is computed of the real side is looked up and kept.

    Returns
    -------
    Report
        With a verdict on each condition; a failed one raises nothing.

    Raises
    ------
    UsageError
        There is no such set, metric, number or baseline.
    DataError
        A picture cannot be read, a metric that was asked for cannot take the sets, or the baseline
        is no report.
    SetupError
        Weights, a device or memory are missing that a metric that was asked for needs.
    """
    started = time.monotonic()
    conditions, settings = conditions or Conditions(), settings or EvaluationSettings()
    if conditions.baseline is not None:
        read_report(conditions.baseline)  # what cannot be read is told before the work
    device = find_device(settings.device)
    choice = choose_metrics(metrics, judged=conditions.thresholds.metrics())
    parts = _open(real, fake, choice, images, settings)
    choice, skipped = that_take_the_sets(choice, parts)
    _require_levels(conditions.thresholds, parts.real)
    tools, choice, without = open_tools(
        choice, weights=settings.weights, device=device, mode=settings.mode
    )
    skipped |= without
    _require_some(choice.metrics, skipped)
    parts = parts.taken_by(choice.metrics)
    passes = Passes(
        parts=parts,
        choice=choice,
        tools=tools,
        settings=SwdSettings(seed=settings.seed),
        device=device,
        cache=cache,
        onlooker=settings.onlooker,
        bootstrap=settings.bootstrap,
        engine=settings.engine,
    )
    if settings.onlooker is not None:
        settings.onlooker.begin(parts.real, parts.fake)
    measured, given_up = _measured(passes)
    skipped |= given_up
    _require_some(measured, skipped)
    report = Report(
        real=parts.real.describe(),
        fake=parts.fake.describe(),
        measured=measured,
        scores=_scores(measured),
        skipped=skipped,
        findings=None if settings.onlooker is None else settings.onlooker.findings(),
        rule="published" if images is None else "declared",
        declared_images=images,
        seed=settings.seed,
        device=str(device),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - started, 2),
        memory_mib=_largest_memory_mib(),
        versions={**library_versions(), **pixel_library_versions()},
    )
    return judge(report, conditions)


def judge(report: Report, conditions: Conditions) -> Report:
    """Return a report with the verdicts on all conditions.

    Raises
    ------
    UsageError
        A condition is about a number that was not measured, or there is no baseline.
    DataError
        The baseline is no report.
    """
    if conditions.allow_deviation:
        report = replace(report, rule="any")
    verdicts: list[Verdict] = list(judge_thresholds(report, conditions.thresholds))
    note = None
    if conditions.baseline is not None:
        before = read_report(conditions.baseline)
        verdicts += judge_baseline(report, before, conditions.tolerance)
        note = BaselineNote(
            path=str(conditions.baseline),
            created=before.created,
            tolerance=str(conditions.tolerance),
            values={name: score.value for name, score in before.scores.items()},
        )
    return replace(report, verdicts=tuple(verdicts), baseline=note)


def _open(
    real: ImageSource | Place | str,
    fake: ImageSource | Place | str | Callable[[int, int], Any],
    choice: Choice,
    images: int | None,
    settings: EvaluationSettings,
) -> Parts:
    wanted = {side: images_wanted(choice.metrics, side, images=images) for side in ("real", "fake")}
    if callable(fake):
        fake = GeneratorSource(
            fake,
            wanted["fake"] or _MOST_GENERATED,
            seed=settings.seed,
            batch_size=settings.generator_batch,
        )
    how = settings.stream(wanted["fake"])
    if isinstance(fake, GeneratorSource):
        how = replace(how, skip_bad=False)  # it would run the generator twice
    real_stream = ImageStream(real, settings.stream(wanted["real"]))
    return Parts(real_stream, ImageStream(fake, how), images)


def _require_levels(thresholds: Thresholds, real: ImageStream) -> None:
    """Refuse thresholds of levels that the pictures do not have, before the work."""
    named = [name for name in thresholds.scores() if name.startswith("swd.") and name != "swd.avg"]
    if not named:
        return
    levels = [f"swd.{height}" for height, _ in swd_levels(*real.size)]
    for name in named:
        if name not in levels:
            raise UsageError(f"{name}: the pictures have the levels {', '.join(levels)}")


def _require_some(metrics: Collection[str], skipped: Mapping[str, str]) -> None:
    """Refuse sets of which nothing can be said, with the reasons. Raises DataError."""
    if not metrics:
        reasons = "; ".join(f"{name}: {why}" for name, why in skipped.items())
        raise DataError(f"no metric can be measured: {reasons}")


def _measured(passes: Passes) -> tuple[dict[str, Measured], dict[str, str]]:
    """Read both sides; return what each metric found, and why others were given up."""
    real = passes.read_real()
    passes = replace(passes, choice=passes.choice.without(real.skipped))
    fake = passes.read_fake()
    finishing = Finishing(passes=passes, real=real, fake=fake)
    measured, skipped = {}, real.skipped | fake.skipped
    for name in passes.choice.without(fake.skipped).metrics:
        try:
            measured[name] = finishing.measure(name)
        except DataError as error:
            if name in passes.choice.required:
                raise
            skipped[name] = str(error)
    return measured, skipped


def _scores(measured: Mapping[str, Measured]) -> dict[str, Score]:
    found: dict[str, Score] = {}
    for metric in METRICS:
        if metric in measured:
            found |= scores_of(measured[metric].result)
    return found


def _largest_memory_mib() -> float:
    """Of this process since its start; Linux counts it in KiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
