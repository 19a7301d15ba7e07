"""`pgan-toolkit demo`."""

from pathlib import Path

import click
from pgan_cli.options import fresh_option, quiet_option, workers_option
from pgan_cli.terminal import echo

__all__ = ["demo"]

_KEPT = 16


@click.command(epilog="Example: pgan-toolkit demo --out demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder for the samples and the dataset.",
)
@workers_option
@fresh_option
@quiet_option
def demo(*, out: Path, workers: int | None, fresh: bool, quiet: bool) -> None:
    """Build a small dataset from sample pictures made on the spot.

    A public-domain portrait is rotated, scaled, cut at the edges, blurred, screened and compressed;
    the build pads, ranks and rejects. Look at the contact sheet at the end.
    """
    from pgan_toolkit.celebahq import BuildSettings, build_dataset
    from pgan_toolkit.celebahq.samples import write_samples

    samples = write_samples(out / "celeba_sample")
    settings = BuildSettings(
        src=out / "celeba_sample", out=out / "celeba_hq", count=_KEPT, workers=workers
    )
    summary = build_dataset(settings, fresh=fresh, mode="quiet" if quiet else "auto")
    if not quiet:
        echo(f"{len(samples)} sample files: {settings.src}")
        echo(summary.to_text())
        echo(f"dataset:       {settings.out}")
        echo(f"contact sheet: {settings.out}.build/contact_sheet.png")
        echo(f"all scores:    {settings.out}.build/photographs.csv")
