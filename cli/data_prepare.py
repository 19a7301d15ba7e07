"""`pgan-toolkit data prepare`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from pgan_cli.options import FORMAT_NAMES, PLACE, workers_option
from pgan_cli.terminal import echo

from pgan_toolkit.progress import Progress, ProgressMode
from pgan_toolkit.wording import counted

if TYPE_CHECKING:  # it would load all that decodes, which --help does without
    from pgan_toolkit.recipes import Pictures, Recipe
    from pgan_toolkit.storage import FormatName, Place

__all__ = ["RECIPE_NAMES", "prepare_set"]

RECIPE_NAMES = ("celeba", "cifar10", "lsun", "mnist")
"""`pgan_toolkit.recipes.RECIPES`, which --help does without: it would load all that decodes."""
_STORE_PNG = ("folder", "zip", "lmdb", "webdataset")


@click.command(
    "prepare",
    short_help="Make a training set of published files.",
    epilog="""\b
Examples:
  pgan-toolkit data prepare celeba --src CelebA --out celeba_128.zip
  pgan-toolkit data prepare lsun --src bedroom_train_lmdb --out bedroom.h5 --images 100000
  pgan-toolkit data prepare cifar10 --src cifar-10-python.tar.gz --out cifar10.zip
  pgan-toolkit data prepare mnist --src mnist --out digits.zip --size 32 --split test""",
)
@click.argument("name", metavar="NAME", type=click.Choice(RECIPE_NAMES))
@click.option(
    "--src",
    required=True,
    type=click.Path(path_type=Path),
    help="The download: its folder, or the file itself.",
)
@click.option("--out", required=True, type=PLACE, help="The dataset to make.")
@click.option(
    "--size",
    type=click.IntRange(min=1),
    help="Pixels.  [default: celeba 128, cifar10 32, lsun 256, mnist 28]",
)
@click.option("--split", help="all, train, valid or test.  [default: celeba all, others train]")
@click.option("--images", type=click.IntRange(min=1), help="The first so many.  [default: all]")
@click.option("--no-verify", is_flag=True, help="Take files that are not the published ones.")
@click.option("--skip-bad", is_flag=True, help="Leave damaged pictures out, and say which.")
@workers_option
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMAT_NAMES),
    help="Of OUT.  [default: by its extension, else a folder]",
)
@click.option("--overwrite", is_flag=True, help="Replace what has that name.")
@click.option("--quiet", is_flag=True, help="Show no progress; results and errors only.")
def prepare_set(  # noqa: PLR0913 - one argument an option
    *,
    name: str,
    src: Path,
    out: "Place",
    size: int | None,
    split: str | None,
    images: int | None,
    no_verify: bool,
    skip_bad: bool,
    workers: int | None,
    format_name: "FormatName | None",
    overwrite: bool,
    quiet: bool,
) -> None:
    """Make a training set of the published files of celeba, cifar10, lsun or mnist.

    Files are compared with the published ones first. OUT appears when it is complete. What each
    NAME takes and makes, byte for byte: docs/recipes.md.
    """
    from pgan_toolkit.recipes import RECIPES, prepare
    from pgan_toolkit.storage import guess_format, open_sink

    mode: ProgressMode = "quiet" if quiet else "auto"
    chosen = guess_format(out) if format_name is None else format_name
    with open_sink(out, format=chosen, overwrite=overwrite) as sink:
        recipe = RECIPES[name]
        pictures = recipe.open(src, size_px=size, split=split, verify=not no_verify)
        total = len(pictures) if images is None else min(images, len(pictures))
        with Progress(total, label="preparing", unit="picture", mode=mode) as bar:
            done = prepare(
                pictures,
                sink,
                images=images,
                encode=chosen in _STORE_PNG,
                workers=_processes(recipe, workers),
                on_bad=(lambda what: bar.note(f"left out: {what}")) if skip_bad else None,
                advance=bar.advance,
            )
    echo(f"{out}: {_made_text(done.count, pictures)} as {chosen}")
    if done.skipped:
        echo(f"left out: {counted(len(done.skipped), 'damaged picture')}")
    echo(f"checked: {pictures.checked}")


def _processes(recipe: "Recipe", workers: int | None) -> int:
    """How many are worth their start: pictures in memory are written faster than sent about."""
    from pgan_toolkit.engines import available_cores

    if not recipe.decodes:
        return 1
    return available_cores() if workers is None else workers


def _made_text(count: int, pictures: "Pictures") -> str:
    size = f"{pictures.size_px}x{pictures.size_px}"
    return f"{counted(count, 'picture')} of {size}"
