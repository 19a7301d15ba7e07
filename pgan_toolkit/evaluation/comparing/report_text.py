"""A report as lines for a terminal, verdicts first."""

import textwrap

from pgan_toolkit.evaluation.comparing.outcomes import Score
from pgan_toolkit.evaluation.comparing.report import Report
from pgan_toolkit.evaluation.comparing.text import number_text

__all__ = ["report_text"]

_WIDTH = 100
_MARKS = {"pass": "pass", "fail": "FAIL", "not comparable": "????"}


def report_text(report: Report) -> str:
    """Return a report as lines of 100 characters at most, but for long words."""
    lines = [
        _hanging(f"{_MARKS[each.status]}  ", each.message)
        + (_hanging("\n      CAUTION: ", each.caution) if each.caution else "")
        for each in report.verdicts
    ]
    lines += [_hanging("   !  ", text) for text in report.findings or ()]
    if lines:
        lines.append("")
    lines += [_score(score, report) for score in report.scores.values()]
    lines += [
        _hanging(f"  {metric}: ", each.caution.upper()[:8] + each.caution[8:])
        for metric, each in report.measured.items()
        if each.caution
    ]
    for reason in dict.fromkeys(report.skipped.values()):
        names = ", ".join(name for name, why in report.skipped.items() if why == reason)
        lines.append(_hanging("  not measured  ", f"{names}: {reason}"))
    lines.append(_hanging("  made  ", _made(report)))
    return "\n".join(lines)


def _score(score: Score, report: Report) -> str:
    error = "" if score.standard_error is None else f"  +- {number_text(score.standard_error)}"
    before = report.before(score)
    was = "" if before is None else f"  (was {number_text(before)})"
    return f"  {score.name:16}{number_text(score.value):>12}{error}{was}"


def _made(report: Report) -> str:
    return (
        f"{report.fake['images']:,} of {report.fake['path']} against {report.real['images']:,} of "
        f"{report.real['path']}, seed {report.seed}, {report.device}, {report.seconds:.1f} s, at "
        f"most {report.memory_mib:,.0f} MiB"
    )


def _hanging(first: str, text: str) -> str:
    indent = " " * len(first.lstrip("\n"))
    return "\n" * first.startswith("\n") + textwrap.fill(
        text,
        _WIDTH,
        initial_indent=first.lstrip("\n"),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
