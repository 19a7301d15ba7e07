"""Curves of what a run has measured of itself."""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reference_trainer.configuration import RunSettings, read_settings
from reference_trainer.runs import RunFolder
from reference_trainer.schedule import phases

__all__ = ["plot_run"]

CURVES = {
    "swd": "SWD x 1000 (less is better)",
    "ms-ssim": "MS-SSIM (less: more varied)",
    "modes": "modes covered, of 1,000",
    "modes/kl": "KL to uniform, nats",
}
"""What is drawn, one below the other, if it was measured."""


def plot_run(run: Path, *, out: Path) -> None:
    """Draw the measurements of a run over kimg, shaded where a resolution is being faded in.

    Parameters
    ----------
    run : Path
        Its folder.
    out : Path
        The picture to write, .png or .svg.
    """
    folder = RunFolder(run)
    rows = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    names = [name for name in CURVES if any(name in row for row in rows)]
    figure = Figure(figsize=(8, 2.6 * len(names)), layout="constrained")
    panels = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    settings = read_settings(folder.settings)
    for axes, name in zip(panels, names, strict=True):
        _draw(axes, name, [row for row in rows if name in row])
        _mark_resolutions(axes, settings, end=rows[-1]["kimg"])
    panels[-1].set_xlabel("kimg (thousands of reals shown); shaded: a resolution fades in")
    with mpl.rc_context({"svg.hashsalt": ""}):  # the same bytes from the same run
        figure.savefig(out, dpi=120)


def _draw(axes: Axes, name: str, rows: list[dict[str, Any]]) -> None:
    axes.plot([row["kimg"] for row in rows], [row[name] for row in rows], marker="o", markersize=3)
    axes.set_ylabel(CURVES[name])
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)


def _mark_resolutions(axes: Axes, settings: RunSettings, *, end: float) -> None:
    """Shade where a resolution is being faded in, and name those that are trained."""
    axes.set_xlim(0, 1.02 * end)
    for stretch in phases(settings):
        if stretch.from_kimg >= end:
            return
        if stretch.fading:
            axes.axvspan(stretch.from_kimg, min(stretch.to_kimg, end), color="0.92", zorder=0)
        else:
            axes.annotate(
                f"{stretch.resolution}x{stretch.resolution}",
                (stretch.from_kimg, 0),
                xycoords=("data", "axes fraction"),
                xytext=(3, 3),
                textcoords="offset points",
                fontsize=8,
            )
