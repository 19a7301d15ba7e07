"""A report as JSON, and back; the form is published in `report.schema.json`."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.evaluation.comparing.outcomes import (
    BaselineNote,
    Better,
    Measured,
    Score,
    Verdict,
)
from pgan_toolkit.evaluation.comparing.report import Report
from pgan_toolkit.metrics.result import Result
from pgan_toolkit.storage import read_file

__all__ = ["REPORT_FORMAT", "REPORT_VERSION", "read_report", "report_from_json", "report_json"]

REPORT_FORMAT = "pgan-toolkit evaluation"
REPORT_VERSION = 1
_MOST_BYTES = 16 << 20


def report_json(report: Report) -> bytes:
    """Return a report as JSON; numbers that are not finite become null."""
    content = {"format": REPORT_FORMAT, "version": REPORT_VERSION, "status": report.status}
    content |= asdict(report)
    return (json.dumps(_plain(content), indent=1, allow_nan=False) + "\n").encode()


def read_report(path: Path) -> Report:
    """Read what `report_json` wrote.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        It is no such report, or of another version.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file; name the --json report of an earlier run")
    return report_from_json(read_file(path, most_bytes=_MOST_BYTES), name=str(path))


def report_from_json(data: bytes, *, name: str) -> Report:
    """Return the report that JSON holds.

    Parameters
    ----------
    data : bytes
        As `report_json` returns it.
    name : str
        What messages call it.

    Raises
    ------
    DataError
        It is no such report, or of another version.
    """
    try:
        content = json.loads(data)
        found = content["format"], content["version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{name}: no report of `pgan-toolkit evaluate --json` ({error!r})"
        ) from error
    if found != (REPORT_FORMAT, REPORT_VERSION):
        raise DataError(
            f"{name}: format {found[0]!r}, version {found[1]!r}; expected {REPORT_FORMAT!r}, "
            f"version {REPORT_VERSION}: make it again with `pgan-toolkit evaluate --json`"
        )
    try:
        return _report(content)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(
            f"{name}: not all of a report ({error!r}); make it again with "
            "`pgan-toolkit evaluate --json`"
        ) from error


def _report(content: Mapping[str, Any]) -> Report:
    fields = {name: content[name] for name in Report.__dataclass_fields__ if name != "findings"}
    baseline, findings = fields["baseline"], content.get("findings")
    fields |= {
        "measured": {name: _measured(each) for name, each in fields["measured"].items()},
        "scores": {name: _score(each) for name, each in fields["scores"].items()},
        "verdicts": tuple(Verdict(**each) for each in fields["verdicts"]),
        "baseline": None if baseline is None else _baseline(baseline),
        "created": str(fields["created"]),
        "findings": None if findings is None else tuple(map(str, findings)),
    }
    if unknown := {score.metric for score in fields["scores"].values()} - set(fields["measured"]):
        raise ValueError(f"numbers of {sorted(map(str, unknown))}, which were not measured")
    return Report(**fields)


def _measured(content: Mapping[str, Any]) -> Measured:
    result = dict(content["result"])
    result |= {
        "value": _number(result["value"]),
        "images": {str(side): int(count) for side, count in result["images"].items()},
        "components": _numbers(result["components"]),
        "component_errors": _numbers(result["component_errors"]),
        "standard_error": _known(result["standard_error"]),
        "interval": None if result["interval"] is None else _pair(result["interval"]),
        "repeats": {
            name: tuple(map(_number, values)) for name, values in result["repeats"].items()
        },
        "warnings": tuple(map(str, result["warnings"])),
    }
    return Measured(
        result=Result(**result),
        deviations=tuple(map(str, content["deviations"])),
        pictures=dict(content["pictures"]),
        draws=str(content["draws"]),
    )


def _score(content: Mapping[str, Any]) -> Score:
    if content["better"] not in get_args(Better):
        raise ValueError(f"better is {content['better']!r}")
    read = {
        "value": _number(content["value"]),
        "standard_error": _known(content["standard_error"]),
        "headline": bool(content["headline"]),
        "repeats": tuple(map(_number, content["repeats"])),
    }
    return Score(**{**content, **read})


def _baseline(content: Mapping[str, Any]) -> BaselineNote:
    return BaselineNote(**{**content, "values": _numbers(content["values"])})


def _numbers(content: Mapping[str, Any]) -> dict[str, float]:
    return {name: _number(value) for name, value in content.items()}


def _pair(content: Sequence[Any]) -> tuple[float, float]:
    low, high = map(_number, content)
    return low, high


def _known(value: float | None) -> float | None:
    return None if value is None else float(value)


def _number(value: float | None) -> float:
    """What was not finite is null in JSON."""
    return math.nan if value is None else float(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
