"""`pgan-toolkit restore-score`."""

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pgan_cli.options import PLACE, device_option, precision_option, quiet_option, restorer_option
from pgan_cli.reports import PrintedReport, json_place
from pgan_cli.terminal import echo

from pgan_toolkit.progress import Progress

if TYPE_CHECKING:  # it would load all that decodes, which --help does without
    from pgan_toolkit.restoration import PrecisionChoice
    from pgan_toolkit.restoration.fidelity import Fidelity
    from pgan_toolkit.restoration.scoring import PictureScore, ScoredTask
    from pgan_toolkit.storage import Place

__all__ = ["restore_score"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit restore-score --data photos_test/Set5 --task superres --restorer nets-psnr
  pgan-toolkit restore-score --data photos_test/LIVE1 --task jpeg --quality 10 --quality 40
  pgan-toolkit restore-score --data faces --task faces --json scores.json
"""
_KEY_WIDTH = 24
_CELL_WIDTH = 15


@dataclass(frozen=True)
class _Asked:
    """What is to be scored, and how."""

    data: "Place"
    task: "ScoredTask"
    restorer: str
    device: str
    precision: "PrecisionChoice"
    qualities: tuple[int, ...]
    colour: bool


@click.command("restore-score", epilog=_EXAMPLES)
@click.option(
    "--data",
    required=True,
    type=PLACE,
    help="Pictures without artifacts: a folder or a dataset.",
)
@click.option(
    "--task",
    required=True,
    type=click.Choice(["jpeg", "superres", "faces"]),
    help="jpeg: artifacts of compressed luma; superres: 4x from bicubic; faces: 4x and JPEG.",
)
@restorer_option(default="nets", default_help="nets")
@device_option
@precision_option
@click.option(
    "--quality",
    "qualities",
    type=click.IntRange(1, 100),
    multiple=True,
    help="Of the JPEGs; again for more.  [default: 10 20 30 40 for jpeg, 60 for faces]",
)
@click.option(
    "--colour", is_flag=True, help="With --task jpeg: compress the colours too, 4:2:0, not luma."
)
@click.option(
    "--json",
    "report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write all scores here as well; a PSNR of null is infinite: the pictures are equal.",
)
@quiet_option
def restore_score(
    *, report: Path | None, quiet: bool, qualities: tuple[int, ...], **options: Any
) -> None:
    """Score a restorer as the published tables do: PSNR and SSIM, of luma and RGB.

    Each picture is degraded, restored and compared with what it was; plain ways stand beside.
    """
    # One said twice is meant once.
    asked = _Asked(qualities=tuple(dict.fromkeys(qualities)), **options)
    with json_place(report, required=quiet) as place:
        shown = not quiet and not isinstance(place, PrintedReport)
        identity, scores = _score_all(asked, shown=shown, quiet=quiet)
        if place is not None:
            about = {**asdict(asked), "data": str(asked.data), "restorer": identity}
            place.write(_to_json(about, scores))


def _score_all(asked: _Asked, *, shown: bool, quiet: bool) -> "tuple[str, list[PictureScore]]":
    """Score and print; return the restorer's identity beside the scores."""
    from pgan_toolkit.restoration import open_restorer
    from pgan_toolkit.restoration.scoring import (
        DEFAULT_QUALITIES,
        score_restorer,
        stored_in_colour,
    )
    from pgan_toolkit.storage import open_source

    source = open_source(asked.data)
    restorer = open_restorer(asked.restorer, device=asked.device, precision=asked.precision)
    say = echo if shown else _silence
    total = len(source) * len(asked.qualities or DEFAULT_QUALITIES.get(asked.task, (None,)))
    pending = score_restorer(
        source,
        restorer,
        task=asked.task,
        qualities=asked.qualities or None,
        colour=asked.colour,
        coloured=stored_in_colour(source),
    )
    say(
        f"{asked.data}: {len(source):,} pictures, task {asked.task}, restorer {restorer.identity}\n"
    )
    scores: list[PictureScore] = []
    with Progress(total, label="scoring", unit="trial", mode="quiet" if quiet else "auto") as bar:
        # On a terminal a line must not break the bar; both are seen in the same place there.
        on_terminal = shown and sys.stdout.isatty() and sys.stderr.isatty()
        tell = bar.note if on_terminal else say
        for score in pending:
            tell(_line(score) if scores else f"{_heading(score)}\n{_line(score)}")
            scores.append(score)
            bar.advance()
    say(_summary(scores))
    return restorer.identity, scores


def _silence(_text: str) -> None:
    """Say nothing."""


def _heading(score: "PictureScore") -> str:
    *plain, _ = score.fidelity
    ways = "".join(f"{way:>{_CELL_WIDTH}}" for way in score.fidelity)
    return (
        f"Luma PSNR in dB and SSIM; the gain is over {plain[-1]}.\n"
        f"{'picture':{_KEY_WIDTH}}{'JPEG':>5}{ways}{'gain':>8}"
    )


def _line(score: "PictureScore") -> str:
    *plain, restored = score.fidelity.values()
    cells = "".join(
        f"{fidelity.psnr_luma:{_CELL_WIDTH - 7}.2f} {fidelity.ssim_luma:.4f}"
        for fidelity in score.fidelity.values()
    )
    gain = _gain(restored.psnr_luma, plain[-1].psnr_luma)
    return f"{score.key:{_KEY_WIDTH}}{score.quality or '':>5}{cells}{gain:>8}"


def _gain(restored: float, plain: float) -> str:
    """Say the difference; of two that are both the original there is none, not even 0."""
    return "equal" if restored == plain == math.inf else f"{restored - plain:+.2f}"


def _summary(scores: "Sequence[PictureScore]") -> str:
    """Return the means, a line for each quality and way, and the speed."""
    from pgan_toolkit.restoration.scoring import mean_scores

    head = f"{'':{_KEY_WIDTH}}{'JPEG':>5}  {'way':10}"
    lines = [
        "",
        f"{head}{'luma PSNR':>10}{'SSIM':>8}{'RGB PSNR':>10}{'SSIM':>8}{'detail':>16}",
    ]
    for mean in mean_scores(scores):
        start = f"{mean.key:{_KEY_WIDTH}}{mean.quality or '':>5}"
        lines += [f"{start}  {way:10}{_means(fidelity)}" for way, fidelity in mean.fidelity.items()]
    seconds = sum(score.seconds for score in scores)
    megapixels = sum(score.input_megapixels for score in scores)
    lines += [
        "detail: energy of the two finest Laplacian bands, the original's being 1; finest first",
        f"speed: {seconds / megapixels:.2f} seconds a megapixel of input",
    ]
    return "\n".join(lines)


def _means(fidelity: "Fidelity") -> str:
    detail = "".join(
        f"{'none':>8}" if math.isnan(ratio) else f"{ratio:8.3f}" for ratio in fidelity.band_ratios
    )
    return (
        f"{fidelity.psnr_luma:10.2f}{fidelity.ssim_luma:8.4f}"
        f"{fidelity.psnr_rgb:10.2f}{fidelity.ssim_rgb:8.4f}{detail}"
    )


def _to_json(about: dict[str, object], scores: "Sequence[PictureScore]") -> bytes:
    from pgan_toolkit.restoration.scoring import mean_scores

    content = {
        **about,
        "means": [_storable(mean) for mean in mean_scores(scores)],
        "pictures": [_storable(score) for score in scores],
    }
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def _storable(score: "PictureScore") -> dict[str, Any]:
    """Replace what JSON has no number for.

    An infinite PSNR, that of equal pictures, becomes null, and null means nothing else; ratios of
    detail to an original without any are left out of their list, which is then empty.
    """
    return {
        **asdict(score),
        "fidelity": {way: _storable_fidelity(found) for way, found in score.fidelity.items()},
    }


def _storable_fidelity(fidelity: "Fidelity") -> dict[str, Any]:
    content = {
        name: None if value == math.inf else value for name, value in asdict(fidelity).items()
    }
    if any(map(math.isnan, fidelity.band_ratios)):
        content["band_ratios"] = ()
    return content
