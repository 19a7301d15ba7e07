"""`pgan-toolkit generate`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pgan_cli.options import FORMAT_NAMES, device_option, quiet_option
from pgan_cli.terminal import echo

from pgan_toolkit.errors import UsageError
from pgan_toolkit.progress import Progress, ProgressMode

if TYPE_CHECKING:
    from pgan_toolkit.storage import FormatName
    from reference_trainer.sampling import Sampler

__all__ = ["generate"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit generate runs/hq --images 50000 --out fake/
  pgan-toolkit generate runs/hq --seeds 0-31,77 --out chosen.zip
  pgan-toolkit generate runs/hq --grid 8x4 --out grid.png
"""


@click.command(epilog=_EXAMPLES)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--images", type=click.IntRange(min=1), help="Draw so many, of seeds in a row.")
@click.option("--seeds", metavar="LIST", help="Draw these: 0-31,77.")
@click.option(
    "--grid", metavar="CxR", help="Draw C columns and R rows into one PNG file, such as 8x4."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="What to make.")
@click.option(
    "--seed", type=click.IntRange(min=0), help="The first seed of --images or --grid.  [default: 0]"
)
@click.option(
    "--label",
    type=click.IntRange(min=0),
    help="Draw this class alone, of a run with labels.  [default: the classes in turn]",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="Of the run.  [default: the newest]",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMAT_NAMES),
    help="Of OUT.  [default: by its extension, else a folder]",
)
@click.option("--overwrite", is_flag=True, help="Replace what has that name.")
@device_option
@quiet_option
def generate(  # noqa: PLR0913 - one argument an option
    *,
    run: Path,
    images: int | None,
    seeds: str | None,
    grid: str | None,
    out: Path,
    seed: int | None,
    label: int | None,
    checkpoint: Path | None,
    format_name: "FormatName | None",
    overwrite: bool,
    device: str,
    quiet: bool,
) -> None:
    """Draw pictures from a training run.

    Seed N gives picture N, the same in every command. They come from the moving average of the
    generator, at the run's final resolution: pixels are replicated while it still grows.
    """
    _check(images, seeds, grid, seed=seed, format_name=format_name)
    from reference_trainer.sampling import parse_grid, parse_seeds

    columns, rows = (0, 0) if grid is None else parse_grid(grid)
    first = seed or 0
    chosen = (
        range(first, first + (images or columns * rows)) if seeds is None else parse_seeds(seeds)
    )
    if grid is not None and len(chosen) != columns * rows:
        raise UsageError(f"--grid {grid}: {columns * rows} pictures, and --seeds has {len(chosen)}")
    if grid is not None and out.suffix.lower() != ".png":
        raise UsageError(f"{out}: the grid is a PNG file; give it the extension .png")
    drawing = _Drawing(run, checkpoint, device=device, seeds=chosen, label=label, quiet=quiet)
    if grid is None:
        _write_set(drawing, out, format_name=format_name, overwrite=overwrite)
    else:
        _write_grid(drawing, out, columns=columns, overwrite=overwrite)


def _check(
    images: int | None,
    seeds: str | None,
    grid: str | None,
    *,
    seed: int | None,
    format_name: str | None,
) -> None:
    """Refuse options that contradict each other.

    Raises
    ------
    UsageError
        They do.
    """
    if images is None and seeds is None and grid is None:
        raise UsageError("say what to draw: --images N, --seeds 0-31 or --grid 8x4")
    if images is not None and (seeds is not None or grid is not None):
        raise UsageError("--images: give it alone, without --seeds and --grid")
    if seeds is not None and seed is not None:
        raise UsageError("--seed: says where --images or --grid begins; --seeds names all")
    if grid is not None and format_name is not None:
        raise UsageError(f"--format {format_name}: the grid is a PNG file; leave it out")


class _Drawing:
    """What is to be drawn. The run is opened when the place for it has been taken."""

    def __init__(
        self,
        run: Path,
        checkpoint: Path | None,
        *,
        device: str,
        seeds: Sequence[int],
        label: int | None,
        quiet: bool,
    ) -> None:
        self._run, self._checkpoint, self._device = run, checkpoint, device
        self.seeds, self.label, self._quiet = seeds, label, quiet

    def open(self) -> "Sampler":
        from reference_trainer.sampling import open_sampler

        sampler = open_sampler(self._run, checkpoint=self._checkpoint, device=self._device)
        sampler.info.check_label(self.label)
        return sampler

    def progress(self) -> Progress:
        mode: ProgressMode = "quiet" if self._quiet else "auto"
        return Progress(len(self.seeds), label="drawing", unit="picture", mode=mode)

    def tell(self, sampler: "Sampler", out: Path) -> None:
        if not self._quiet:
            size = sampler.info.resolution
            echo(f"{out}: {len(self.seeds):,} pictures of {size}x{size} from {sampler.info.name}")


def _write_set(
    drawing: _Drawing, out: Path, *, format_name: "FormatName | None", overwrite: bool
) -> None:
    from pgan_toolkit.storage import guess_format, open_sink
    from reference_trainer.sampling import write_pictures

    chosen = guess_format(out) if format_name is None else format_name
    files = chosen in {"folder", "zip"}
    with open_sink(out, format=chosen, overwrite=overwrite) as sink:
        sampler = drawing.open()
        with drawing.progress() as bar:
            write_pictures(
                sampler, drawing.seeds, sink, files=files, label=drawing.label, advance=bar.advance
            )
    drawing.tell(sampler, out)


def _write_grid(drawing: _Drawing, out: Path, *, columns: int, overwrite: bool) -> None:
    from pgan_toolkit.imaging import encode_png
    from pgan_toolkit.storage import AtomicPath
    from reference_trainer.sampling import draw_grid

    with AtomicPath(out, overwrite=overwrite) as temporary:
        sampler = drawing.open()
        with drawing.progress() as bar:
            picture = draw_grid(
                sampler, drawing.seeds, columns=columns, label=drawing.label, advance=bar.advance
            )
        temporary.write_bytes(encode_png(picture))
    drawing.tell(sampler, out)
