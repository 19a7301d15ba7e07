"""The tables of an evaluation: verdicts, numbers, published values, and the exact protocol."""

import math
from collections.abc import Mapping
from typing import Any

from pgan_toolkit.errors import UsageError
from pgan_toolkit.evaluation.comparing.baselines import Tolerance
from pgan_toolkit.evaluation.comparing.outcomes import BaselineNote, Score, Verdict
from pgan_toolkit.evaluation.comparing.report import Report
from pgan_toolkit.evaluation.pages.paper_values import paper_values
from pgan_toolkit.pages import Cell, Table

__all__ = ["numbers_table", "paper_table", "protocol_tables", "verdict_lines", "verdict_words"]

_WORDS = {
    "pass": ("✓ pass", "pass"),
    "fail": ("✗ fail", "fail"),
    "not comparable": ("? not comparable", "note"),
}


def verdict_words(report: Report) -> tuple[str, str]:
    """Return the outcome in words, and its class: "pass", "fail" or "note"."""
    total = len(report.verdicts)
    if not total:
        return "No conditions were given: this page judges nothing.", "note"
    counts = {
        status: sum(verdict.status == status for verdict in report.verdicts) for status in _WORDS
    }
    if report.status == "pass":
        cautions = sum(bool(verdict.caution) for verdict in report.verdicts)
        warned = f", {cautions} of them with a caution" if cautions else ""
        return f"✓ Passed: {_of(total, total)} held{warned}.", "pass"
    if counts["fail"]:
        return f"✗ Failed: {_of(counts['fail'], total)} not met.", "fail"
    return f"? Not comparable: {_of(counts['not comparable'], total)} could not be judged.", "note"


def verdict_lines(report: Report) -> tuple[tuple[Cell, Verdict], ...]:
    """Return each condition's outcome in a word, with its class, and the condition; worst first."""
    order = ("fail", "not comparable", "pass")
    return tuple(
        (Cell(_WORDS[verdict.status][0], None, _WORDS[verdict.status][1]), verdict)
        for verdict in sorted(report.verdicts, key=lambda each: order.index(each.status))
    )


def numbers_table(report: Report) -> Table:
    """Return one row a number, with its uncertainty, its counts and its change."""
    rows = [_number_row(report, score) for score in report.scores.values()]
    head = ["Number", "Value", "Standard error", "95 % interval", "Better", "Real images"]
    compared = report.baseline is not None and report.baseline.values
    head += ["Fake images", *(("Baseline", "Change") if compared else ())]
    return Table(head, rows, "With their uncertainty")


def paper_table(report: Report) -> Table | None:
    """Return the paper's values of what was measured, a column a data set; None if none."""
    values = paper_values(report.scores)
    published = {(value.score, value.data): value.value for value in values}
    sets = list(dict.fromkeys(value.data for value in values))
    rows = [
        (
            Cell(name),
            Cell.number(report.scores[name].value),
            *(Cell.number(published.get((name, data))) for data in sets),
        )
        for name in dict.fromkeys(value.score for value in values)
    ]
    head = ("Number", "Here", *(f"Paper: {data}" for data in sets))
    return Table(head, rows, "Other data, other pictures: not limits") if rows else None


def protocol_tables(report: Report, *, command: str = "") -> tuple[tuple[str, Table], ...]:
    """Return what one needs to make the numbers again: heading and table."""
    run: dict[str, Any] = {
        "Command": command,
        "Made (UTC)": report.created,
        "Seed": report.seed,
        "Device": report.device,
        "Took": f"{report.seconds:,.1f} s, {report.memory_mib:,.0f} MiB of memory",
        "Protocol of thresholds": report.rule,
        "Images asked for, a side": report.declared_images,
        "Versions": report.versions,
    }
    if report.baseline is not None:
        run["Baseline"] = f"{report.baseline.path}, made {report.baseline.created}"
        run["Tolerance"] = report.baseline.tolerance
    found = [("The run", _facts(run))]
    for side, about in (("real", report.real), ("fake", report.fake)):
        found.append((f"The {side} pictures", _facts(about)))
    for name, measured in report.measured.items():
        result = measured.result
        about = {
            "Definition": result.convention,
            "Images": result.images,
            "Seed": result.seed,
            "Features": result.extractor,
            "Uncertainty": result.uncertainty,
            "Off the protocol": list(measured.deviations),
            "SHA-256 of the pictures": measured.pictures,
            "Draws": measured.draws,
            "Versions": result.versions,
        }
        found.append((f"Metric {name}", _facts(about)))
    return tuple(found)


def _number_row(report: Report, score: Score) -> tuple[Cell, ...]:
    result = report.measured[score.metric].result
    interval = "-"
    if result.interval is not None and score.value == result.value:
        interval = " to ".join(Cell.number(end).text for end in result.interval)
    cells = [
        Cell(score.name),
        Cell.number(score.value),
        Cell.number(score.standard_error),
        Cell(interval, None, "number"),
        Cell(score.better),
        *(Cell.number(result.images.get(side)) for side in ("real", "fake")),
    ]
    if report.baseline is not None and report.baseline.values:
        then = report.baseline.values.get(score.name, math.nan)
        cells += [Cell.number(then), _change(report, score, report.baseline, then=then)]
    return tuple(cells)


def _change(report: Report, score: Score, baseline: BaselineNote, *, then: float) -> Cell:
    """How a number moved, in words too: a colour alone says nothing to some."""
    change = score.value - then
    if not math.isfinite(change) or change == 0:
        return Cell.number(change)
    if report.before(score) is None:
        return Cell("not comparable", None, "number")
    margin = _margin(report, score, baseline, then=then)
    better = (change < 0) == (score.better == "lower")
    if margin is None:
        word = "its error is not known"
    else:
        word = "within the error" if abs(change) <= margin else "better" if better else "worse"
    return Cell(f"{change:+.4g} ({word})", change, "number")


def _margin(report: Report, score: Score, baseline: BaselineNote, *, then: float) -> float | None:
    """How far from the baseline is no difference; None if that is not known.

    As it was judged. What is not judged, such as a level of the SWD, has the same tolerance; its
    earlier error, which reports do not keep, is taken to be as large as that of now.
    """
    judged = [
        each.margin
        for each in report.verdicts
        if each.score == score.name and each.margin is not None
    ]
    if judged:
        return judged[0]
    error = score.standard_error
    try:
        tolerance = Tolerance.parse(baseline.tolerance)
    except UsageError:  # of a report that somebody else wrote
        return None
    return tolerance.margin(then, error=None if error is None else math.sqrt(2) * error)


def _facts(about: Mapping[str, Any]) -> Table:
    rows = [
        (Cell(str(name).replace("_", " ")), Cell(_text(value)))
        for name, value in about.items()
        if value is not None and value not in ("", {}, [], ())
    ]
    return Table(("What", "Value"), rows)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_text(each)}" for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return "; ".join(map(_text, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _of(some: int, total: int) -> str:
    return f"{some} of {total} condition{'' if total == 1 else 's'}"
