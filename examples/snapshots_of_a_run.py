"""How the SWD of a run fell, level by level, and whether the last steps still mattered.

A notebook in cells (`# %%`), which VS Code, Spyder and Jupyter (jupytext) run one by one:

    python examples/snapshots_of_a_run.py REALS RUN OUT [IMAGES]

REALS is any set of pictures of the run's size, RUN a training run with two checkpoints or more, OUT
a folder for the plot, the page and the reports. It needs matplotlib and the extra `reports`.
"""

# %% What is measured
import sys
from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.evaluation import EvaluationSettings, Report, StatisticsCache, evaluate
from pgan_toolkit.evaluation.comparing import report_json
from pgan_toolkit.evaluation.pages import PageLook, write_html
from reference_trainer.runs import read_saved
from reference_trainer.sampling import RunSource, open_sampler

mpl.use("Agg")
from matplotlib import pyplot as plt

REALS, RUN, OUT = map(Path, sys.argv[1:4])
IMAGES = int(sys.argv[4]) if len(sys.argv) > 4 else 2048
OUT.mkdir(parents=True, exist_ok=True)


# %% A set for each snapshot: its pictures are made when they are asked for, of the same seeds
def snapshot(checkpoint: Path) -> RunSource:
    """Return the pictures of the generator in a checkpoint."""
    return RunSource(
        checkpoint,
        open_sampler=partial(open_sampler, RUN, checkpoint=checkpoint),
        resolution=read_saved(checkpoint).settings.data.resolution,
    )


checkpoints = sorted((RUN / "checkpoints").glob("kimg-*.safetensors"))
kimg = [float(path.stem.removeprefix("kimg-")) for path in checkpoints]

# %% Measure them, all against the same patches of the reals along the same directions
# The cache keeps what is computed of the reals: from the second snapshot on, half of the work.
look = PageLook()  # is shown the pictures of each in turn: the page will be of the last
settings = EvaluationSettings(onlooker=look)
reports: list[Report] = [
    evaluate(
        REALS, snapshot(path), metrics=["swd"], images=IMAGES,
        settings=settings, cache=StatisticsCache(),
    )
    for path in checkpoints
]  # fmt: skip
for step, report in zip(kimg, reports, strict=True):
    (OUT / f"{step:g}.json").write_bytes(report_json(report))


# %% Is a step of the run a step forward?
# The groups of images of two snapshots share reals, patches and directions: what these do to both
# cancels in the difference, whose error is therefore smaller than that of either.
def difference(name: str, before: Report, after: Report) -> tuple[float, float]:
    """Return how a number changed, and the paired standard error of the change."""
    then, now = (np.array(each.scores[name].repeats) for each in (before, after))
    change = after.scores[name].value - before.scores[name].value
    return change, float((now - then).std(ddof=1) / np.sqrt(len(now)))


for step, before, after in zip(kimg[1:], reports, reports[1:], strict=False):
    print(f"{step:g} kimg")
    for name in after.scores:
        change, error = difference(name, before, after)
        word = "no change" if abs(change) < 2 * error else "better" if change < 0 else "worse"
        print(f"  {name:10}{change:+10.3f} +- {error:.3f}  {word}")


# %% Draw the levels over the run
def column(name: str, attribute: str) -> NDArray[np.float64]:
    """Return a number of all snapshots, or its standard error."""
    return np.array([getattr(report.scores[name], attribute) for report in reports])


figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
for name in reports[0].scores:
    axes.errorbar(
        kimg, column(name, "value"), yerr=2 * column(name, "standard_error"),
        marker="o", markersize=3, capsize=2, linewidth=2 if name == "swd.avg" else 1, label=name,
    )  # fmt: skip
axes.set(xlabel="kimg (thousands of reals shown)", ylabel="SWD x 1000, bars: 2 standard errors")
axes.set_ylim(bottom=0)
axes.legend()
figure.savefig(OUT / "swd.png", dpi=120)

# %% A page of the last snapshot, with its pictures and the history of all
write_html(reports[-1], OUT / "last.html", look, history=reports[:-1])
print(f"{OUT / 'swd.png'}, {OUT / 'last.html'}")
