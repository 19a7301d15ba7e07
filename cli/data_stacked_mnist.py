"""`pgan-toolkit data stacked-mnist`."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import click
from pgan_cli.options import FORMAT_NAMES, PLACE
from pgan_cli.terminal import echo

from pgan_toolkit.progress import Progress
from pgan_toolkit.wording import counted

if TYPE_CHECKING:  # it would load torch, which --help does without
    from pgan_toolkit.evaluation.digits import Split
    from pgan_toolkit.storage import FormatName, Place

__all__ = ["stacked_mnist"]


@click.command(
    "stacked-mnist",
    short_help="Make pictures of three random MNIST digits each.",
    epilog="Example: pgan-toolkit data stacked-mnist --src mnist --out stacked.zip --size 32",
)
@click.option(
    "--src",
    required=True,
    type=click.Path(path_type=Path),
    help="The folder of MNIST's official files, .gz or not.",
)
@click.option("--out", required=True, type=PLACE, help="The dataset to make.")
@click.option("--images", type=click.IntRange(min=1), default=25_600, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--size",
    type=click.Choice(["28", "32"]),
    default="28",
    show_default=True,
    help="Pixels; 32 adds 2 black ones on each side.",
)
@click.option(
    "--split",
    type=click.Choice(["train", "test"]),
    default="train",
    show_default=True,
    help="The part of MNIST that digits are drawn from.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMAT_NAMES),
    help="Of OUT.  [default: by its extension, else a folder]",
)
@click.option("--overwrite", is_flag=True, help="Replace what has that name.")
@click.option("--quiet", is_flag=True, help="Show no progress; results and errors only.")
def stacked_mnist(  # noqa: PLR0913 - one argument an option
    *,
    src: Path,
    out: "Place",
    images: int,
    seed: int,
    size: Literal["28", "32"],
    split: str,
    format_name: "FormatName | None",
    overwrite: bool,
    quiet: bool,
) -> None:
    """Make pictures of three random MNIST digits each, in red, green and blue.

    The label is R + 10 G + 100 B: one of 1000 modes. They are the data of the MNIST-1K experiments,
    and what `modes` must find complete.
    """
    from pgan_toolkit.evaluation.digits import load_mnist, stacked_digits
    from pgan_toolkit.storage import guess_format, open_sink

    digits = load_mnist(src, split=cast("Split", split))
    chosen = guess_format(out) if format_name is None else format_name
    with (
        open_sink(out, format=chosen, overwrite=overwrite) as sink,
        Progress(
            images, label="stacking", unit="picture", mode="quiet" if quiet else "auto"
        ) as bar,
    ):
        for record in stacked_digits(digits, images=images, seed=seed, size_px=int(size)):
            sink.write(record)
            bar.advance()
    echo(f"{out}: {counted(images, 'picture')} of {size}x{size} as {chosen}")
