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
from pgan_toolkit.evaluation.pages.findings import RULES, find_differences
from pgan_toolkit.evaluation.pages.galleries import (
    missing_gallery,
    neighbour_rows,
    sample_galleries,
    typical_galleries,
)
from pgan_toolkit.evaluation.pages.likeness import compare_likeness
from pgan_toolkit.evaluation.pages.numbers import (
    numbers_table,
    paper_table,
    protocol_tables,
    verdict_lines,
    verdict_words,
)
from pgan_toolkit.evaluation.pages.side import Side, look_at, page_sample
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.pages import Chart, render_page, require_jinja, write_page

__all__ = ["report_html", "write_html"]

_TEMPLATE = "report.html"


def write_html(
    report: Report,
    path: Path,
    *,
    real: ImageStream,
    fake: ImageStream,
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
    page = report_html(report, real=real, fake=fake, history=history, command=command)
    write_page(path, page)


def report_html(
    report: Report,
    *,
    real: ImageStream,
    fake: ImageStream,
    history: Sequence[Report] = (),
    command: str = "",
    sides: tuple[Side, Side] | None = None,
) -> bytes:
    """Return a report as one HTML page, with the pictures that it is about.

    Up to 2,048 pictures of each side are read for it (128 of 1024x1024), unless they were looked at
    before. The page stays below 3 MB and asks for nothing from anywhere.

    Parameters
    ----------
    report : Report
        What was found.
    real, fake : ImageStream
        The sets.
    history : sequence of Report
        Earlier reports, oldest first.
    command : str
        What was run, for the page to name.
    sides : tuple of two Side | None
        What `SideStatistics` saw of just these two streams, of equally many pictures; None: it is
        looked at now.

    Raises
    ------
    DataError
        A picture cannot be read.
    SetupError
        jinja2 is not installed.
    """
    require_jinja()
    if sides is None:
        real, fake = page_sample(real, fake)
        sides = look_at(real, label="page: real"), look_at(fake, label="page: fake")
    content = _content(report, (real, fake), sides, history=history)
    content["protocol"] = protocol_tables(report, command=command)
    return render_page(_TEMPLATE, folder=Path(__file__).parent, content=content)


def _content(
    report: Report,
    streams: tuple[ImageStream, ImageStream],
    sides: tuple[Side, Side],
    *,
    history: Sequence[Report],
) -> dict[str, Any]:
    likeness = compare_likeness(*sides)
    words, kind = verdict_words(report)
    real, fake = streams
    content = {
        "title": f"{words} {fake.path} against {real.path}",
        "words": words,
        "kind": kind,
        "real": real.path,
        "fake": fake.path,
        "verdicts": verdict_lines(report),
        "findings": find_differences(*sides, likeness),
        "rules": RULES,
        "looked_at": len(sides[0]),
        "numbers": numbers_table(report),
        "warnings": _warnings(report),
        "skipped": report.skipped,
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
