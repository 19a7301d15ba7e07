"""The charts of an evaluation: SWD by level, spectra, colours, and how numbers went over time."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.evaluation.comparing.report import Report
from pgan_toolkit.evaluation.pages.side import BLOCK_PX, Side
from pgan_toolkit.imaging import ring_frequencies
from pgan_toolkit.pages import (
    Axis,
    BarGroup,
    Cell,
    Chart,
    Line,
    Table,
    bar_chart,
    line_chart,
    linear_axis,
    log_axis,
)

__all__ = ["block_chart", "colour_charts", "history_charts", "spectrum_charts", "swd_chart"]

_CHANNELS = ("Red", "Green", "Blue")
_BINS = 32
_OCTAVES = {1 / 32: "1/32", 1 / 16: "1/16", 1 / 8: "1/8", 1 / 4: "1/4", 1 / 2: "1/2"}
_MOST_HISTORIES = 6


def swd_chart(report: Report, *, history: Sequence[Report] = ()) -> Chart | None:
    """Draw the sliced Wasserstein distance by level, beside that of the baseline; None if none.

    Parameters
    ----------
    report : Report
        What was found.
    history : sequence of Report
        Earlier ones; the last is the baseline where the report names none.
    """
    levels = [
        score
        for score in report.scores.values()
        if score.metric == "swd" and score.name != "swd.avg"
    ]
    if not levels:
        return None
    now = [score.value for score in levels]
    groups = [BarGroup("this one", "fake", now, [score.standard_error for score in levels])]
    before = _baseline(report, history)
    if any(score.name in before for score in levels):
        then = [before.get(score.name, math.nan) for score in levels]
        groups.insert(0, BarGroup("baseline", "baseline", then))
    labels = [score.name.removeprefix("swd.") for score in levels]
    values = [value for group in groups for value in group.values]
    worst = max(levels, key=lambda score: score.value)
    return bar_chart(
        groups,
        labels=labels,
        axis=linear_axis(values, label="SWD x 1000, lower is better", from_zero=True),
        title="Sliced Wasserstein distance by level",
        description=f"Levels by height in pixels, from fine to coarse: "
        f"{', '.join(f'{label} {value:.4g}' for label, value in zip(labels, now, strict=True))}. "
        f"The largest is at {worst.name.removeprefix('swd.')}. Whiskers: one standard error.",
    )


def spectrum_charts(real: Side, fake: Side) -> tuple[Chart, ...]:
    """Draw the power by frequency of both sides, and their ratio."""
    frequencies = ring_frequencies()
    powers = [_mean(side.power) for side in (real, fake)]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(powers[0] > 0, powers[1] / powers[0], np.nan)
    across = Axis(
        label="cycles per pixel (right: finest)", low=1 / 32, high=1 / 2, ticks=_OCTAVES, log=True
    )
    x = frequencies.tolist()
    lines = [
        Line(name, kind, x, power.tolist())
        for name, kind, power in zip(("real", "fake"), ("real", "fake"), powers, strict=True)
    ]
    table = Table(
        ("Cycles per pixel", "Real", "Fake", "Fake / real"),
        [
            tuple(map(Cell.number, (f, *(float(each[k]) for each in (*powers, ratio)))))
            for k, f in enumerate(x)
        ],
    )
    known = ratio[np.isfinite(ratio)]
    finest = f"{100 * known[-1]:.3g} %" if known.size else "not known"
    power = line_chart(
        [Line(each.name, each.kind, each.x, _drawable(each.y)) for each in lines],
        axes=(across, log_axis([*lines[0].y, *lines[1].y], label="power, grey levels squared")),
        title="Power spectrum of the brightness",
        description="Mean over the pictures, radially averaged, both sides. Equal pictures lie on "
        "one line; blur falls below it on the right, noise rises above it.",
    )
    share = line_chart(
        [
            Line("real / real", "real", [1 / 32, 1 / 2], [1.0, 1.0]),
            Line("fake / real", "fake", x, ratio.tolist()),
        ],
        axes=(across, linear_axis([0.0, 1.0, *known.tolist()], label="1: as in the real ones")),
        title="Power of the fake pictures over that of the real ones",
        description=f"At the finest frequencies it is {finest}.",
    )
    return Chart(power.title, power.svg, table), share


def block_chart(real: Side, fake: Side) -> Chart | None:
    """Draw how much larger steps between pixels are at each place modulo 8; None: not known.

    Compared with the real pictures, and with the usual place: blocks of JPEG are one tall bar.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = _mean(fake.steps()) / _mean(real.steps())
    if not np.isfinite(ratio).all():
        return None
    percent = 100 * (ratio / np.median(ratio, axis=1, keepdims=True) - 1)
    groups = [
        BarGroup(name, kind, values.tolist())
        for name, kind, values in zip(
            ("column borders", "row borders"), ("real", "fake"), percent, strict=True
        )
    ]
    return bar_chart(
        groups,
        labels=[str(place) for place in range(BLOCK_PX)],
        axis=linear_axis([-2.0, 2.0, *percent.ravel()], label="%", from_zero=True),
        title="Steps between pixels by place modulo 8, against the real pictures",
        description=f"Blocks of JPEG make one place in eight stand out. The largest excess is "
        f"{percent.max():.1f} %.",
    )


def colour_charts(real: Side, fake: Side) -> tuple[Chart, ...]:
    """Draw how often each level of each channel occurs on both sides."""
    width = 256 // _BINS
    shares = [
        side.histogram.reshape(3, _BINS, width).sum(2) / max(int(side.histogram[0].sum()), 1) * 100
        for side in (real, fake)
    ]
    x = [width * (place + 0.5) for place in range(_BINS)]
    up = linear_axis(np.stack(shares).ravel(), label="pixels, %", from_zero=True)
    across = Axis(
        label="level", low=0, high=256, ticks={float(v): str(v) for v in (0, 64, 128, 192, 255)}
    )
    means = [
        side.colours.mean(axis=0) if len(side) else np.full(3, np.nan) for side in (real, fake)
    ]
    return tuple(
        line_chart(
            [
                Line(name, name, x, share[channel].tolist())
                for name, share in zip(("real", "fake"), shares, strict=True)
            ],
            axes=(across, up),
            title=f"{colour} levels",
            description=f"Mean level of {colour.lower()}: real {means[0][channel]:.1f}, fake "
            f"{means[1][channel]:.1f} of 255.",
        )
        for channel, colour in enumerate(_CHANNELS)
    )


def history_charts(report: Report, *, history: Sequence[Report]) -> tuple[Chart, ...]:
    """Draw how the headline numbers went: the earlier reports, the baseline, and this one."""
    earlier = [({n: s.value for n, s in each.scores.items()}, each.created) for each in history]
    if not history and report.baseline is not None:
        earlier = [(_before(report), report.baseline.created)]
    charts: list[Chart] = []
    for name in [score.name for score in report.scores.values() if score.headline]:
        known = [(values[name], when) for values, when in earlier if name in values]
        known.append((report.scores[name].value, report.created))
        if len(known) > 1 and len(charts) < _MOST_HISTORIES:
            charts.append(_history_chart(name, known, better=report.scores[name].better))
    return tuple(charts)


def _history_chart(name: str, known: Sequence[tuple[float, str]], *, better: str) -> Chart:
    values = [value for value, _ in known]
    last = len(known) - 1
    ticks = {0.0: known[0][1][:10] or "first", float(last): "now"}
    chart = line_chart(
        [Line(name, "fake", list(range(len(known))), values)],
        axes=(
            Axis(label="", low=-0.15 * last, high=1.15 * last, ticks=ticks),
            linear_axis(values, label=f"{better} is better"),
        ),
        title=f"{name} over time",
        description=f"{len(known)} evaluations, from {values[0]:.4g} to {values[-1]:.4g}.",
        points=True,
    )
    rows = [(Cell(when or "?"), Cell.number(value)) for value, when in known]
    return Chart(chart.title, chart.svg, Table(("Made", name), rows))


def _baseline(report: Report, history: Sequence[Report]) -> dict[str, float]:
    if report.baseline is not None:
        return _before(report)
    return {name: score.value for name, score in history[-1].scores.items()} if history else {}


def _before(report: Report) -> dict[str, float]:
    """Each number of the baseline that this one can be compared with."""
    values = {name: report.before(score) for name, score in report.scores.items()}
    return {name: value for name, value in values.items() if value is not None}


def _drawable(values: Sequence[float]) -> list[float]:
    """What a logarithm takes; the rest is left out."""
    return [value if value > 0 else math.nan for value in values]


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the pictures that have a value; NaN where none has."""
    known = np.isfinite(values)
    counts = known.sum(axis=0)
    sums = np.where(known, values, 0.0).sum(axis=0)
    means: NDArray[np.float64] = np.full(values.shape[1:], np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means
