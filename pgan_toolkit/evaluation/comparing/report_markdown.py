"""A report as Markdown, for the summary of a job or a comment."""

import html
import re

from pgan_toolkit.evaluation.comparing.outcomes import Score, Verdict
from pgan_toolkit.evaluation.comparing.report import Report
from pgan_toolkit.evaluation.comparing.text import number_text

__all__ = ["report_markdown"]

_MARKS = {"pass": "✅", "fail": "❌", "not comparable": "⚠️"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~@:/-])")
_LINKED = re.compile(r"([@#]|www)")  # linked by GitHub whatever stands before it
_REPLACED = "\N{REPLACEMENT CHARACTER}"
_ZERO_WIDTH_SPACE = "\N{ZERO WIDTH SPACE}"
_SPACES = re.compile(r"\s+")


def report_markdown(report: Report) -> str:
    """Return a report as Markdown: verdicts first, then the numbers, then how they were made.

    Paths and messages are escaped: they can be no markup, link or mention.
    """
    parts = [
        f"## pgan-toolkit evaluate: {_MARKS[report.status]} {_outcome(report)}",
        f"{_escaped(str(report.fake['path']))} against {_escaped(str(report.real['path']))}",
        _verdicts(report.verdicts),
        _findings(report),
        _numbers(report),
        _skipped(report),
        _warnings(report),
        _made(report),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _outcome(report: Report) -> str:
    if not report.verdicts:
        return "measured, nothing demanded"
    return {"pass": "passed", "fail": "failed", "not comparable": "not comparable"}[report.status]


def _verdicts(verdicts: tuple[Verdict, ...]) -> str:
    rows = [
        f"| {_MARKS[each.status]} | {_escaped(each.message)}{_caution(each)} |" for each in verdicts
    ]
    return "\n".join(["| | verdict |", "|---|---|", *rows]) if rows else ""


def _caution(verdict: Verdict) -> str:
    return f" **⚠️ {_escaped(verdict.caution)}**" if verdict.caution else ""


def _findings(report: Report) -> str:
    rows = [f"- **{_escaped(text)}**" for text in report.findings or ()]
    return "\n".join(["What is wrong with the fake pictures:", "", *rows]) if rows else ""


def _numbers(report: Report) -> str:
    header = ["| number | value | standard error | better |", "|---|---:|---:|---|"]
    rows = [_number(score, report) for score in report.scores.values()]
    cautions = [
        f"**⚠️ {metric}: {_escaped(each.caution)}**"
        for metric, each in report.measured.items()
        if each.caution
    ]
    return "\n".join([*header, *rows]) + "".join(f"\n\n{caution}" for caution in cautions)


def _number(score: Score, report: Report) -> str:
    before = report.before(score)
    was = "" if before is None else f" (was {number_text(before)})"
    error = number_text(score.standard_error)
    return f"| {score.name} | {number_text(score.value)}{was} | {error} | {score.better} |"


def _skipped(report: Report) -> str:
    reasons = dict.fromkeys(report.skipped.values())
    rows = []
    for reason in reasons:
        names = ", ".join(name for name, why in report.skipped.items() if why == reason)
        rows.append(f"- Not measured: {names}: {_escaped(reason)}")
    return "\n".join(rows)


def _warnings(report: Report) -> str:
    return "\n".join(f"- Warning: {_escaped(text)}" for text in report.warnings)


def _made(report: Report) -> str:
    return (
        f"{report.real['images']:,} real and {report.fake['images']:,} fake images, seed "
        f"{report.seed}, on {_escaped(report.device)}, "
        f"{report.seconds:.1f} s, at most {report.memory_mib:,.0f} MiB; pgan-toolkit "
        f"{_escaped(report.versions.get('pgan-toolkit', ''))}, {_escaped(report.created)}"
    )


def _escaped(text: str) -> str:
    """Make text stand for itself: on one line, without markup, HTML, links or mentions."""
    one_line = _SPACES.sub(" ", text)
    shown = "".join(each if each.isprintable() else _REPLACED for each in one_line)
    marked = _SPECIAL.sub(r"\\\1", html.escape(shown, quote=False))
    return _LINKED.sub(f"\\1{_ZERO_WIDTH_SPACE}", marked)
