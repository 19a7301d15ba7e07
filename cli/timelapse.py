"""`pgan-toolkit timelapse`."""

from pathlib import Path

import click
from pgan_cli.options import quiet_option
from pgan_cli.terminal import echo

from pgan_toolkit.progress import Progress

__all__ = ["timelapse"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit timelapse runs/hq --out growth.mp4
  pgan-toolkit timelapse runs/hq --seconds 30 --fps 30 --out growth.webm
"""


@click.command(epilog=_EXAMPLES)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A .mp4 or .webm file.")
@click.option("--fps", type=int, default=10, show_default=True, help="Frames a second.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="Length of the film.  [default: one frame a grid]",
)
@click.option(
    "--crf", type=int, default=16, show_default=True, help="Quality: 0 is best, 51 is worst."
)
@click.option("--overwrite", is_flag=True, help="Replace what has that name.")
@quiet_option
def timelapse(
    *,
    run: Path,
    out: Path,
    fps: int,
    seconds: float | None,
    crf: int,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Film how training progressed, from the grids of pictures that the run saved on its way."""
    from reference_trainer.runs import RunFolder
    from reference_trainer.sampling import (
        VideoSettings,
        film_frames,
        find_grids,
        growth_frames,
        held_frames,
        prepare_video,
        settings_of_run,
        write_video,
    )

    settings = VideoSettings(fps=fps, crf=crf)
    prepare_video(out, settings=settings, overwrite=overwrite)
    of_run = settings_of_run(run)
    grids = find_grids(RunFolder(run).fakes_folder)
    frames = None if seconds is None else film_frames(seconds, fps=fps)
    order = held_frames(len(grids), frames=frames)
    with Progress(
        len(order), label="filming", unit="frame", mode="quiet" if quiet else "auto"
    ) as bar:
        pictures = growth_frames(grids, order, settings=of_run)
        write_video(out, pictures, settings=settings, overwrite=overwrite, advance=bar.advance)
    if not quiet:
        first, last = grids[0].kimg, grids[-1].kimg
        echo(f"{out}: {len(order):,} frames, {first:,g} to {last:,g} kimg")
