"""`pgan-toolkit restore`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
from pgan_cli.options import device_option, precision_option, quiet_option, restorer_option

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.imaging import decode_image, encode_png
from pgan_toolkit.progress import Progress
from pgan_toolkit.restoration import PrecisionChoice, Restorer, open_restorer
from pgan_toolkit.storage import (
    PICTURE_EXTENSIONS,
    StoredSource,
    atomic_write_bytes,
    open_source,
    read_file,
)

__all__ = ["restore"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit restore photos --out restored
  pgan-toolkit restore portrait.jpg --out restored --jpeg-only
  pgan-toolkit restore photos.zip --out restored --scale 2 --restorer nets-psnr
"""


@dataclass(frozen=True)
class _Work:
    """What is to be done: keys with the functions that decode them, and where results go."""

    reads: Mapping[str, Callable[[], Image]]
    out: Path

    def target(self, key: str) -> Path:
        return self.out / f"{key}.png"


@click.command(epilog=_EXAMPLES)
@click.argument("photos", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="A folder."
)
@click.option("--jpeg-only", is_flag=True, help="Remove JPEG artifacts; keep the size.")
@click.option("--superres-only", is_flag=True, help="Enlarge; leave artifacts.")
@click.option(
    "--scale", type=int, help="Enlarge so many times: 1, 2, 4, 8, ...  [default: 4; 1 if jpeg only]"
)
@restorer_option(default="nets", default_help="nets")
@device_option
@precision_option
@click.option("--overwrite", is_flag=True, help="Restore again what OUT has already.")
@quiet_option
def restore(  # noqa: PLR0913 - one an option
    *,
    photos: Path,
    out: Path,
    jpeg_only: bool,
    superres_only: bool,
    scale: int | None,
    restorer: str,
    device: str,
    precision: PrecisionChoice,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Remove JPEG artifacts from pictures and enlarge them.

    PHOTOS is a picture, or a folder, zip or HDF5 file of pictures. OUT gets a PNG file of each,
    under the same name. Stopped at any moment, the same command goes on: what OUT has already is
    left as it is.
    """
    factor = _scale(scale, jpeg_only=jpeg_only, superres_only=superres_only)
    works = open_restorer(restorer, device=device, precision=precision)
    if jpeg_only or superres_only:
        works = works.only("jpeg" if jpeg_only else "superres")
    work = _plan(photos, out)
    todo = [key for key in work.reads if overwrite or not work.target(key).exists()]
    with Progress(
        len(work.reads),
        label="restoring",
        unit="picture",
        mode="quiet" if quiet else "auto",
        initial=len(work.reads) - len(todo),
    ) as bar:
        failed = _restore_all(work, todo, works, scale=factor, bar=bar)
    if not quiet:
        there = len(work.reads) - len(todo)
        kept = f"; {there:,} there already (--overwrite restores them again)" if there else ""
        click.echo(f"{out}: pictures restored: {len(todo) - len(failed):,}{kept}")
    if failed:
        raise _unreadable(failed, total=len(work.reads))


def _scale(scale: int | None, *, jpeg_only: bool, superres_only: bool) -> int:
    if jpeg_only and superres_only:
        raise UsageError("--jpeg-only and --superres-only leave nothing to do; use one of them")
    if jpeg_only and scale not in (None, 1):
        raise UsageError(f"--jpeg-only keeps the size; leave out --scale {scale}")
    factor = (1 if jpeg_only else 4) if scale is None else scale
    if factor < 1 or factor & (factor - 1):
        raise UsageError(f"--scale {factor}: expected a power of two: 1, 2, 4, 8, ...")
    return factor


def _plan(photos: Path, out: Path) -> _Work:
    """Find the pictures; refuse an output that the pictures lie in or that lies among them."""
    if photos.is_file() and photos.suffix.lower() in PICTURE_EXTENSIONS:
        work = _Work({photos.stem: partial(_picture, photos)}, out)
        if work.target(photos.stem).resolve() == photos.resolve():
            raise UsageError(f"{photos}: would be replaced by its result; choose another --out")
        return work
    source = open_source(photos)
    if photos.is_dir() and out.resolve().is_relative_to(photos.resolve()):
        raise UsageError(f"--out {out}: lies among the pictures of {photos}; choose another folder")
    reads = {key: partial(_recorded, source, index) for index, key in enumerate(source.keys())}
    return _Work(reads, out)


def _picture(path: Path) -> Image:
    return decode_image(read_file(path), name=str(path))


def _recorded(source: StoredSource, index: int) -> Image:
    return source[index].image


def _restore_all(
    work: _Work, keys: Sequence[str], restorer: Restorer, *, scale: int, bar: Progress
) -> list[str]:
    """Restore the pictures of these keys, and return why some could not be read."""
    failed = []
    for key in keys:
        try:
            image = work.reads[key]()
        except DataError as error:
            failed.append(str(error))
            bar.note(f"left out: {error}")
        else:
            result = restorer.restore(image, scale=scale)
            atomic_write_bytes(work.target(key), encode_png(result))
        bar.advance()
    return failed


def _unreadable(reasons: Sequence[str], *, total: int) -> DataError:
    lines = "\n".join(f"  {reason}" for reason in reasons)
    return DataError(
        f"{len(reasons):,} of {total:,} pictures could not be restored (the others were):\n{lines}"
    )
