"""`pgan-toolkit interpolate`."""

from pathlib import Path

import click
from pgan_cli.options import device_option, quiet_option
from pgan_cli.terminal import echo

from pgan_toolkit.progress import Progress

__all__ = ["interpolate"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit interpolate runs/hq --seconds 60 --out walk.mp4
  pgan-toolkit interpolate runs/hq --seconds 20 --grid 1x1 --fps 30 --out one.webm
"""


@click.command(epilog=_EXAMPLES)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A .mp4 or .webm file.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Length of the loop.",
)
@click.option(
    "--grid", default="4x3", show_default=True, metavar="CxR", help="Pictures in a frame."
)
@click.option("--fps", type=int, default=60, show_default=True, help="Frames a second.")
@click.option(
    "--smoothing-seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=0.75,
    show_default=True,
    help="Sigma of the Gaussian in time; more is slower.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--label",
    type=click.IntRange(min=0),
    help="Draw this class alone, of a run with labels.  [default: the classes in turn]",
)
@click.option(
    "--crf", type=int, default=16, show_default=True, help="Quality: 0 is best, 51 is worst."
)
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), help="Of the run.  [default: the newest]"
)
@click.option("--overwrite", is_flag=True, help="Replace what has that name.")
@device_option
@quiet_option
def interpolate(  # noqa: PLR0913 - one argument an option
    *,
    run: Path,
    out: Path,
    seconds: float,
    grid: str,
    fps: int,
    smoothing_seconds: float,
    seed: int,
    label: int | None,
    crf: int,
    checkpoint: Path | None,
    overwrite: bool,
    device: str,
    quiet: bool,
) -> None:
    """Film a walk through the latent space, as a loop without a seam.

    Latent vectors are drawn for every frame, smoothed in time by a Gaussian (45 frames at 60 Hz, as
    for the paper's video) and normalised.
    """
    from reference_trainer.sampling import (
        VideoSettings,
        film_frames,
        latent_walk,
        open_sampler,
        parse_grid,
        prepare_video,
        walk_frames,
        write_video,
    )

    columns, rows = parse_grid(grid)
    settings = VideoSettings(fps=fps, crf=crf)
    prepare_video(out, settings=settings, overwrite=overwrite)
    frames = film_frames(seconds, fps=fps)
    sampler = open_sampler(run, checkpoint=checkpoint, device=device)
    sampler.info.check_label(label)
    ways = latent_walk(
        frames,
        walkers=columns * rows,
        latent_size=sampler.info.latent_size,
        sigma_frames=smoothing_seconds * fps,
        seed=seed,
    )
    with Progress(frames, label="filming", unit="frame", mode="quiet" if quiet else "auto") as bar:
        pictures = walk_frames(sampler, ways, columns=columns, label=label)
        write_video(out, pictures, settings=settings, overwrite=overwrite, advance=bar.advance)
    if not quiet:
        echo(f"{out}: {frames:,} frames, {frames / fps:g} s, from {sampler.info.name}")
