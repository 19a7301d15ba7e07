"""The page of an evaluation, written in one file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pgan_toolkit.evaluation.comparing.report import Report
from pgan_toolkit.evaluation.pages.figures import (
    block_chart,
    colour_charts,
    history_charts,
    spectrum_charts,
    swd_chart,
)
from pgan_toolkit.evaluation.pages.findings import FEWEST_PICTURES, RULES
from pgan_toolkit.evaluation.pages.galleries import (
    missing_gallery,
    neighbour_rows,
    sample_galleries,
    typical_galleries,
)
from pgan_toolkit.evaluation.pages.looking import PageLook
from pgan_toolkit.evaluation.pages.numbers import (
    numbers_table,
    paper_table,
    protocol_tables,
    verdict_lines,
    verdict_words,
)
from pgan_toolkit.pages import Chart, render_page, require_jinja, write_page

__all__ = ["report_html", "write_html"]

_TEMPLATE = "report.html"


def write_html(
    report: Report,
    path: Path,
    look: PageLook,
    *,
    history: Sequence[Report] = (),
    command: str = "",
) -> None:
    """Write what `report_html` returns; a file that exists is replaced.

    Raises
    ------
    UsageError
        `path` is a device, a pipe or an open stream.
    DataError, SetupError
        As `report_html`; or the page cannot be written.
    """
    write_page(path, report_html(report, look, history=history, command=command))


def report_html(
    report: Report,
    look: PageLook,
    *,
    history: Sequence[Report] = (),
    command: str = "",
) -> bytes:
    """Return a report as one HTML page, with the pictures that it is about.

    The page stays below 3 MB and asks for nothing from anywhere.

    Parameters
    ----------
    report : Report
        What was found.
    look : PageLook
        What looked at the pictures: `EvaluationSettings(onlooker=look)`; for a report that was made
        before, what `look_at` returns.
    history : sequence of Report
        Earlier reports, oldest first.
    command : str
        What was run, for the page to name.

    Raises
    ------
    DataError
        A picture cannot be read.
    SetupError
        jinja2 is not installed.
    """
    require_jinja()
    content = _content(report, look, history=history)
    content["protocol"] = protocol_tables(report, command=command)
    return render_page(_TEMPLATE, folder=Path(__file__).parent, content=content)


def _content(report: Report, look: PageLook, *, history: Sequence[Report]) -> dict[str, Any]:
    real, fake = look.real, look.fake
    sides, likeness = look.sides, look.likeness
    words, kind = verdict_words(report)
    content: dict[str, Any] = {
        "title": f"{words} {fake.path} against {real.path}",
        "words": words,
        "kind": kind,
        "real": real.path,
        "fake": fake.path,
        "verdicts": verdict_lines(report),
        "findings": look.differences,
        "rules": RULES,
        "fewest": FEWEST_PICTURES,
        "looked_at": len(sides[0]),
        "numbers": numbers_table(report),
        "warnings": _warnings(report),
        "skipped": _skipped(report),
        "paper": paper_table(report),
        "swd": swd_chart(report, history=history),
        "spectra": (*spectrum_charts(*sides), *_known(block_chart(*sides))),
        "colours": colour_charts(*sides),
        "histories": history_charts(report, history=history),
        "samples": sample_galleries(real, fake, seed=report.seed),
        "neighbours": (),
        "typical": (),
        "missing": None,
    }
    if likeness is not None:
        content |= {
            "neighbours": neighbour_rows(real, fake, likeness, seed=report.seed),
            "typical": typical_galleries(fake, likeness),
            "missing": missing_gallery(real, likeness),
        }
    sections = _sections(content)
    return content | {"sections": sections, "present": {anchor for anchor, _ in sections}}


def _known(chart: Chart | None) -> tuple[Chart, ...]:
    return () if chart is None else (chart,)


def _skipped(report: Report) -> list[tuple[str, str]]:
    """Metrics that were not measured for one reason, and the reason."""
    names: dict[str, list[str]] = {}
    for name, reason in report.skipped.items():
        names.setdefault(reason, []).append(name)
    return [(", ".join(group), reason) for reason, group in names.items()]


def _warnings(report: Report) -> tuple[str, ...]:
    """How the protocol was not followed, each once."""
    deviations = [
        f"{name}: {text}" for name, each in report.measured.items() for text in each.deviations
    ]
    return tuple(dict.fromkeys((*deviations, *report.warnings)))


def _sections(content: dict[str, Any]) -> list[tuple[str, str]]:
    """Anchor and name of what the page has."""
    named = [
        ("verdicts", "Verdicts"),
        ("findings", "What is wrong"),
        ("numbers", "Numbers"),
        ("swd", "SWD by level"),
        ("spectrum", "Power spectrum"),
        ("colours", "Colours"),
        ("samples", "Samples"),
        ("neighbours", "Nearest neighbours"),
        ("typical", "Typical and odd"),
        ("missing", "Missing"),
        ("history", "History"),
        ("protocol", "Protocol"),
    ]
    absent = {
        "swd": content["swd"] is None,
        "neighbours": not content["neighbours"],
        "typical": not content["typical"],
        "missing": content["missing"] is None,
        "history": not content["histories"],
    }
    return [(anchor, name) for anchor, name in named if not absent.get(anchor, False)]
