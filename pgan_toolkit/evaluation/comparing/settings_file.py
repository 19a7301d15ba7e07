"""The settings file of an evaluation, pgan-eval.toml, as another repository keeps it."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.evaluation.comparing.baselines import DEFAULT_TOLERANCE, Tolerance
from pgan_toolkit.evaluation.comparing.catalogue import nearest
from pgan_toolkit.evaluation.comparing.judgement import Thresholds
from pgan_toolkit.storage import read_file

__all__ = ["SettingsFile", "read_settings_file"]

_MOST_BYTES = 1 << 20
_LARGEST = 1e300
"""What a limit may be: neither infinite, nor an integer that no float holds."""


@dataclass(frozen=True, kw_only=True)
class SettingsFile:
    """What a settings file says; None where it says nothing.

    Attributes
    ----------
    metrics, images, seed, bootstrap, allow_protocol_deviation
        As `evaluate`, `EvaluationSettings` and `Conditions` take them; table [evaluate].
    thresholds : Thresholds
        Tables [max] and [min].
    baseline : Path | None
        Table [baseline], `file`; a relative one is looked for beside the settings file.
    tolerance : Tolerance
        Table [baseline].
    """

    metrics: tuple[str, ...] | None = None
    images: int | None = None
    seed: int | None = None
    bootstrap: int | None = None
    allow_protocol_deviation: bool = False
    thresholds: Thresholds = field(default_factory=Thresholds)
    baseline: Path | None = None
    tolerance: Tolerance = DEFAULT_TOLERANCE


def read_settings_file(path: Path) -> SettingsFile:
    """Read a settings file.

    Raises
    ------
    UsageError
        There is no such file; it has a table, a setting or a number that is not known, or a value
        of another kind. The nearest known name is told.
    DataError
        It is no TOML, or cannot be read.
    """
    try:
        if not path.exists():
            raise UsageError(f"{path}: no such file")
        content = tomllib.loads(read_file(path, most_bytes=_MOST_BYTES).decode("utf-8"))
    except (RecursionError, ValueError) as error:  # no text, no TOML, or endless numbers
        raise DataError(f"{path}: no TOML file ({error})") from error
    try:
        return _settings(content, folder=path.parent)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    except (RecursionError, ValueError) as error:  # numbers of thousands of digits, say
        raise DataError(f"{path}: nothing that can be set ({error})") from error


def _settings(content: Mapping[str, Any], *, folder: Path) -> SettingsFile:
    _require_known(content, _TABLES, what="table")
    for name in content:
        _checked(name, content[name], "a table", lambda value: isinstance(value, dict))
    how, baseline = content.get("evaluate", {}), content.get("baseline", {})
    _require_known(how, _EVALUATE, what="setting of [evaluate]")
    _require_known(baseline, _BASELINE, what="setting of [baseline]")
    for table, kinds in ((how, _EVALUATE), (baseline, _BASELINE)):
        for name, value in table.items():
            _checked(name, value, *kinds[name])
    found: dict[str, Any] = dict(how)
    if "metrics" in found:
        found["metrics"] = tuple(found["metrics"])
    if "file" in baseline:
        found["baseline"] = folder / baseline["file"]
    if "tolerance" in baseline:
        found["tolerance"] = _tolerance(baseline["tolerance"])
    limits = {name: _limits(content.get(name, {})) for name in ("max", "min")}
    return SettingsFile(**found, thresholds=Thresholds(most=limits["max"], least=limits["min"]))


def _tolerance(value: str | float) -> Tolerance:
    return Tolerance.parse(value) if isinstance(value, str) else Tolerance(float(value), "")


def _limits(table: Mapping[str, Any], *, prefix: str = "") -> dict[str, float]:
    """Return limits by name; `swd.avg = 12` is a table in TOML, `"swd.avg" = 12` is not."""
    found: dict[str, float] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            found |= _limits(value, prefix=f"{prefix}{name}.")
        else:
            _checked(f"{prefix}{name}", value, "a number", _is_number)
            found[f"{prefix}{name}"] = float(value)
    return found


def _require_known(table: Mapping[str, Any], known: Mapping[str, Any], *, what: str) -> None:
    for name in table:
        if name not in known:
            raise UsageError(f"no {what} {name!r}: {nearest(name, known).removesuffix(', ')}")


def _checked(name: str, value: object, expected: str, is_it: Callable[[Any], bool]) -> None:
    if not is_it(value):
        raise UsageError(f"{name} = {value!r}: expected {expected}")


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= _LARGEST


def _is_count(least: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and value >= least


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


_TABLES = {"evaluate": None, "max": None, "min": None, "baseline": None}
_Kind = tuple[str, Callable[[Any], bool]]
_EVALUATE: Mapping[str, _Kind] = {
    "metrics": ("a list of names", _are_names),
    "images": ("a number from 1", _is_count(1)),
    "seed": ("a number from 0", _is_count(0)),
    "bootstrap": ("a number from 0", _is_count(0)),
    "allow_protocol_deviation": ("true or false", lambda value: isinstance(value, bool)),
}
_BASELINE: Mapping[str, _Kind] = {
    "file": ("a file name", lambda value: isinstance(value, str) and bool(value)),
    "tolerance": (
        'such as "2se", "5%" or 0.1',
        lambda value: isinstance(value, str) or _is_number(value),
    ),
}
