"""What `pgan-toolkit evaluate` was asked for: its options, and those of its settings file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgan_toolkit.errors import UsageError
from pgan_toolkit.evaluation.comparing import (
    Conditions,
    EvaluationSettings,
    SettingsFile,
    Thresholds,
    Tolerance,
    read_settings_file,
)

__all__ = ["Plan", "resolve"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done.

    Attributes
    ----------
    metrics, images, conditions, settings
        As `pgan_toolkit.evaluation.evaluate` takes them.
    baseline_to_write : Path | None
        Where this run becomes the baseline.
    """

    metrics: tuple[str, ...] | None
    images: int | None
    conditions: Conditions
    settings: EvaluationSettings
    baseline_to_write: Path | None


def resolve(
    asked: Mapping[str, Any], *, config: Path | None, quiet: bool, update_baseline: bool
) -> Plan:
    """Return the plan: what an option says goes before what the settings file says.

    Parameters
    ----------
    asked : Mapping
        Values of the options, by their parameters' names; None or empty where not given.
    config : Path | None
        The settings file.
    quiet, update_baseline : bool
        The options.

    Raises
    ------
    UsageError, DataError
        As `read_settings_file`; or there is no baseline to be updated.
    """
    file = SettingsFile() if config is None else read_settings_file(config)
    baseline = asked["baseline"] or file.baseline
    if update_baseline and baseline is None:
        raise UsageError("--update-baseline: there is no baseline; name its file by --baseline")
    tolerance = asked["tolerance"]
    conditions = Conditions(
        thresholds=Thresholds(
            most={**file.thresholds.most, **asked["max_limits"]},
            least={**file.thresholds.least, **asked["min_limits"]},
        ),
        allow_deviation=asked["allow_protocol_deviation"] or file.allow_protocol_deviation,
        baseline=None if update_baseline else baseline,
        tolerance=file.tolerance if tolerance is None else Tolerance.parse(tolerance),
    )
    return Plan(
        metrics=asked["metrics"] or file.metrics,
        images=_first(asked["images"], file.images),
        conditions=conditions,
        settings=EvaluationSettings(
            seed=_first(asked["seed"], file.seed) or 0,
            device=asked["device"],
            weights=asked["weights"],
            bootstrap=_first(asked["bootstrap"], file.bootstrap) or 0,
            skip_bad=asked["skip_bad"],
            batch_size=asked["batch_size"],
            mode="quiet" if quiet else "auto",
        ),
        baseline_to_write=baseline if update_baseline else None,
    )


def _first(option: int | None, setting: int | None) -> int | None:
    return setting if option is None else option
