"""How the commands of metrics show a result: a table, warnings on standard error, JSON."""

import json
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pgan_cli.reports import PrintedReport, Report
from pgan_cli.terminal import echo

if TYPE_CHECKING:  # it would load torch, which --help does without
    from pgan_toolkit.evaluation.streams import ImageStream
    from pgan_toolkit.metrics.result import Result

__all__ = ["finish", "result_table", "results_json", "show_results"]

_FORMAT = "pgan-toolkit results"
_VERSION = 1
_NAME_WIDTH = 16
_SMALLEST_FIXED = 0.01
_QUOTED = {"modes", "precision-recall"}  # their value is one of their components, shown once
_LINE_WIDTH = 100


def finish(
    results: "Mapping[str, Result]",
    *,
    place: Report | PrintedReport | None,
    streams: "Sequence[ImageStream]",
    quiet: bool,
) -> None:
    """Write results where they were asked for, and show them unless told to be quiet.

    Where they are printed as JSON, that is alone on standard output: their tables are left out.

    Raises
    ------
    SetupError
        They cannot be written. They have been shown then, for they may have taken hours.
    """
    try:
        if place is not None:
            place.write(results_json(results, sets=[stream.describe() for stream in streams]))
    finally:
        if not quiet:
            show_results(results, tables=not isinstance(place, PrintedReport))


def show_results(results: "Mapping[str, Result]", *, tables: bool = True) -> None:
    """Print each result as a table, and its warnings on standard error.

    Parameters
    ----------
    results : Mapping of str to Result
        Title of the table -> result: "fake/ against real/".
    tables : bool
        Whether tables are shown, or the warnings alone.
    """
    for number, (title, result) in enumerate(results.items() if tables else ()):
        echo(("\n" if number else "") + result_table(result, title=title))
    for title, result in results.items():
        for warning in result.warnings:
            echo(f"warning: {f'{title}: ' if len(results) > 1 else ''}{warning}", err=True)


def result_table(result: "Result", *, title: str = "") -> str:
    """Return a result as lines of text.

    Parameters
    ----------
    result : Result
        What a metric returned.
    title : str
        What was measured.
    """
    lines = [f"{result.metric}  {title}".rstrip()]
    lines += [
        _row(name, value, result.component_errors.get(name))
        for name, value in result.components.items()
    ]
    if result.metric not in _QUOTED:
        lines.append(_row(result.metric, result.value, result.standard_error))
    if result.interval is not None:
        low, high = map(_number, result.interval)
        lines.append(_fact("95 % interval", f"{low} to {high}"))
    facts = {
        "uncertainty": result.uncertainty,
        "images": ", ".join(f"{count:,} {side}" for side, count in result.images.items()),
        "convention": result.convention,
        "seed": "" if result.seed is None else str(result.seed),
        "features": result.extractor or "",
        "warnings": f"{len(result.warnings)}, see below" if result.warnings else "",
    }
    return "\n".join([*lines, *(_fact(name, text) for name, text in facts.items() if text)])


def results_json(
    results: "Mapping[str, Result]", *, sets: Sequence[Mapping[str, Any]] = ()
) -> bytes:
    """Return results as JSON; numbers that are not finite become null.

    Parameters
    ----------
    results : Mapping of str to Result
        Title -> result, in the order of the file.
    sets : sequence of mappings
        What was measured: `ImageStream.describe` of each set.
    """
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "sets": list(sets),
        "results": [{"title": title, **each.to_dict()} for title, each in results.items()],
    }
    text = json.dumps(_finite(content), indent=1, allow_nan=False)
    return f"{text}\n".encode()


def _row(name: str, value: float, error: float | None) -> str:
    return f"  {name:{_NAME_WIDTH}}{_number(value):>12}" + (
        "" if error is None else f"  +- {_number(error)}"
    )


def _fact(name: str, text: str) -> str:
    wrapped = textwrap.wrap(text, _LINE_WIDTH - 2 - _NAME_WIDTH, break_long_words=False)
    return f"  {name:{_NAME_WIDTH}}" + f"\n{'':{_NAME_WIDTH + 2}}".join(wrapped)


def _number(value: float) -> str:
    """Four decimals, or four significant digits of what these would hide."""
    hidden = 0 < abs(value) < _SMALLEST_FIXED
    return f"{value:#.4g}" if hidden else f"{value:,.4f}"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
