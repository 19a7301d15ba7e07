"""The page of a build: scores and the cut, best, borderline and worst pictures, and failures."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pgan_toolkit.arrays import Image
from pgan_toolkit.celebahq.ledger import Ledger, Row, Verdict
from pgan_toolkit.celebahq.plan import BuildPlan, plan_build
from pgan_toolkit.celebahq.settings import BuildSettings
from pgan_toolkit.celebahq.summary import BuildSummary
from pgan_toolkit.celebahq.work import Worker
from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import threads_kept
from pgan_toolkit.pages import (
    BarGroup,
    Cell,
    Chart,
    Gallery,
    Line,
    Table,
    bar_chart,
    line_chart,
    linear_axis,
    page_picture,
    render_page,
    require_jinja,
)
from pgan_toolkit.storage import open_source

__all__ = ["build_html"]

_SHOWN = 12
_BORDERLINE = 8
_MOST_FAILURES = 200
_MOST_BINS = 32
_NOT_RENDERED = "the photograph cannot be read any more"


class _Face(NamedTuple):
    verdict: Verdict
    row: Row


def build_html(settings: BuildSettings, summary: BuildSummary, *, command: str = "") -> bytes:
    """Return a finished build as one HTML page, from its ledger and its pictures.

    Rejected pictures are made anew, at most 20: the dataset does not hold them.

    Parameters
    ----------
    settings : BuildSettings
        As the dataset was built.
    summary : BuildSummary
        What `build_dataset` returned.
    command : str
        What was run, for the page to name.

    Raises
    ------
    DataError
        There is no such build.
    SetupError
        jinja2 is not installed.
    """
    require_jinja()
    plan = plan_build(settings)
    with Ledger(plan.workspace.ledger) as ledger:
        faces = [_Face(verdict, row) for verdict, row in ledger.judged()]
        facts = ledger.fact("settings") or ""
    by_verdict = {
        name: [face for face in faces if face.verdict.verdict == name]
        for name in ("kept", "rejected", "duplicate", "failed")
    }
    ranked = [*by_verdict["kept"], *by_verdict["rejected"]]
    content = {
        "title": f"{summary.kept:,} pictures kept: {settings.out}",
        "out": str(settings.out),
        "source": str(settings.src),
        "summary": summary,
        "scores": _score_chart(by_verdict["kept"], by_verdict["rejected"]),
        "galleries": _galleries(plan, by_verdict["kept"], by_verdict["rejected"]),
        "reasons": _reason_chart(by_verdict["failed"]),
        "failures": _failure_table(by_verdict["failed"]),
        "duplicates": _duplicate_table(by_verdict["duplicate"]),
        "protocol": _protocol(settings, summary, facts=facts, command=command),
        "sections": _SECTIONS,
        "faces": len(ranked),
    }
    return render_page("build.html", folder=Path(__file__).parent, content=content)


_SECTIONS = (
    ("outcome", "Outcome"),
    ("scores", "Scores and the cut"),
    ("pictures", "Pictures"),
    ("failures", "Failures"),
    ("duplicates", "Duplicates"),
    ("protocol", "Protocol"),
)


def _score_chart(kept: Sequence[_Face], rejected: Sequence[_Face]) -> Chart | None:
    groups = {
        name: [face.row.score for face in faces if face.row.score is not None]
        for name, faces in (("kept", kept), ("rejected", rejected))
    }
    scores = [score for group in groups.values() for score in group if math.isfinite(score)]
    if not scores:
        return None
    edges = np.linspace(min(scores), max(scores) + 1e-6, _bins(len(scores)) + 1)
    middles = ((edges[1:] + edges[:-1]) / 2).tolist()
    lines = [
        Line(name, kind, middles, [float(n) for n in np.histogram(group, edges)[0]])
        for (name, group), kind in zip(groups.items(), ("real", "fake"), strict=True)
        if group
    ]
    cut = _cut(groups["kept"], groups["rejected"])
    said = "" if cut is None else f" The cut is at {cut:.2f}: {len(groups['kept']):,} lie above it."
    return line_chart(
        lines,
        axes=(
            linear_axis([*scores, *([] if cut is None else [cut])], label="quality score"),
            linear_axis([y for line in lines for y in line.y], label="pictures", from_zero=True),
        ),
        title="Quality scores",
        description=f"From {min(scores):.2f} to {max(scores):.2f}.{said}",
        marks=None if cut is None else {cut: f"cut {cut:.2f}"},
    )


def _bins(count: int) -> int:
    """Fewer for few, so that there is something in most of them."""
    return min(max(int(count**0.5), 4), _MOST_BINS)


def _cut(kept: Sequence[float], rejected: Sequence[float]) -> float | None:
    """Where the score decided; None where nothing was rejected, or a list decided."""
    if not kept or not rejected or min(kept) < max(rejected):
        return None
    return (min(kept) + max(rejected)) / 2


def _galleries(
    plan: BuildPlan, kept: Sequence[_Face], rejected: Sequence[_Face]
) -> tuple[Gallery, ...]:
    """Return the best, the borderline and the worst pictures, no picture twice."""
    best, rest = kept[:_SHOWN], kept[_SHOWN:]
    last, first = rest[-_BORDERLINE:], rejected[:_BORDERLINE]
    worst = rejected[len(first) :][-_SHOWN:]
    shown = (
        ("Best", "Of what was kept, best first.", best),
        ("Borderline: just kept", "The last that were kept.", last),
        ("Borderline: just rejected", "The first that were not.", first),
        ("Worst", "The lowest scores of all.", worst),
    )
    pictures = _Pictures(plan)
    with threads_kept(), ThreadPoolExecutor(plan.settings.processes) as pool:
        found = []
        for title, text, faces in shown:
            images = pool.map(pictures.of, faces)
            drawn = [
                page_picture(image, alt=f"crop {face.row.key}", key=face.row.key, note=_note(face))
                for face, image in zip(faces, images, strict=True)
                if image is not None
            ]
            missing = len(faces) - len(drawn)
            more = f" {missing} not shown: {_NOT_RENDERED}." if missing else ""
            if drawn:
                found.append(Gallery(title, f"{text}{more}", drawn))
    return tuple(found)


class _Pictures:
    """Crops of faces: of the dataset, or made anew from the photograph."""

    def __init__(self, plan: BuildPlan) -> None:
        self._plan = plan
        self._kept = open_source(plan.settings.out)
        self._places = {key: place for place, key in enumerate(self._kept.keys())}
        self._photographs = {each.key: each.path for each in plan.source}

    @cached_property
    def _worker(self) -> Worker:
        return Worker(self._plan.worker_settings())

    def of(self, face: _Face) -> Image | None:
        place = self._places.get(face.row.key)
        if place is not None:
            return self._kept[place].image
        try:
            photograph = self._worker.decode(self._photographs[face.row.photograph])
        except (DataError, KeyError):
            return None
        return self._worker.render(photograph, face.row.landmark_array())


def _note(face: _Face) -> str:
    rank = "" if face.verdict.rank is None else f"#{face.verdict.rank + 1:,} "
    return rank + ("" if face.row.score is None else f"{face.row.score:.2f}")


def _reason_chart(failed: Sequence[_Face]) -> Chart | None:
    counts = Counter(face.row.category for face in failed).most_common(6)
    if not counts:
        return None
    values = [float(count) for _, count in counts]
    return bar_chart(
        [BarGroup("photographs", "fake", values)],
        labels=[name for name, _ in counts],
        axis=linear_axis(values, label="photographs", from_zero=True),
        title="Failures by reason",
        description=", ".join(f"{name}: {count:,}" for name, count in counts),
    )


def _failure_table(failed: Sequence[_Face]) -> Table:
    rows = [
        (Cell(face.row.file or face.row.key), Cell(face.row.category), Cell(face.row.reason))
        for face in failed[:_MOST_FAILURES]
    ]
    more = f", the first {_MOST_FAILURES}" if len(failed) > _MOST_FAILURES else ""
    return Table(("Photograph", "Reason", "In full"), rows, f"Photographs that failed{more}")


def _duplicate_table(duplicates: Sequence[_Face]) -> Table:
    rows = [
        (Cell(face.row.key), Cell(face.verdict.duplicate_of))
        for face in duplicates[:_MOST_FAILURES]
    ]
    return Table(("Left out", "Identical to"), rows, "Identical pictures, kept once")


def _protocol(settings: BuildSettings, summary: BuildSummary, *, facts: str, command: str) -> Table:
    about: Mapping[str, Any] = {
        "Command": command,
        **{name: value for name, value in asdict(settings).items() if value is not None},
        "What scores depend on": facts,
        "Photographs": f"{summary.photographs:,} ({summary.resumed:,} done by an earlier run)",
        "Seconds of this run": f"{summary.wall_seconds:,.1f}",
        **{f"Seconds of {stage}, all workers": f"{s:,.1f}" for stage, s in summary.seconds.items()},
    }
    rows = [(Cell(name), Cell(str(value))) for name, value in about.items() if value != ""]
    return Table(("What", "Value"), rows)
