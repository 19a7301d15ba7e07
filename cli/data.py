"""`pgan-toolkit data`: inspect, verify, convert and show datasets."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pgan_cli.data_prepare import prepare_set
from pgan_cli.data_stacked_mnist import stacked_mnist
from pgan_cli.options import FORMAT_NAMES, PLACE
from pgan_cli.terminal import echo

from pgan_toolkit.errors import CheckFailed, DataError, UsageError
from pgan_toolkit.progress import Progress, ProgressMode
from pgan_toolkit.wording import counted, visible

if TYPE_CHECKING:  # it would load all that decodes, which --help does without
    from pgan_toolkit.imaging import Tile
    from pgan_toolkit.storage import FormatName, Place, StoredSource
    from pgan_toolkit.storage.inspection import Inspection
    from pgan_toolkit.storage.manifests import Manifest
    from pgan_toolkit.storage.verification import DownloadCheck, PictureCheck

__all__ = ["data"]

_SHOWN_ROWS = 12
_GOOD_SUFFIXES = {".png"}

_source = click.argument("source", metavar="SRC", type=PLACE)
_quiet = click.option("--quiet", is_flag=True, help="Show no progress; results and errors only.")
_skip_bad = click.option(
    "--skip-bad", is_flag=True, help="Leave damaged pictures out, and say which."
)
_overwrite = click.option("--overwrite", is_flag=True, help="Replace what has that name.")


@click.group(epilog="Example: pgan-toolkit data inspect celeba_hq.zip")
def data() -> None:
    """Inspect, verify, convert or show a dataset.

    SRC is a folder of pictures (any depth, PNG, JPEG, WebP, ...), or a zip, HDF5, NumPy,
    WebDataset, TFRecord or LMDB file; its contents tell which. docs/formats.md describes them. It
    may be a URL, such as s3://bucket/set.zip: docs/remote.md.
    """


data.add_command(prepare_set)
data.add_command(stacked_mnist)


@data.command(
    "inspect",
    short_help="Say what SRC holds.",
    epilog="Example: pgan-toolkit data inspect celeba_hq.zip --json",
)
@_source
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@_quiet
def _inspect(source: "Place", as_json: bool, quiet: bool) -> None:
    """Say what SRC holds: format, number, sizes, labels, file types, bytes, ignored files."""
    from pgan_toolkit.storage import open_source
    from pgan_toolkit.storage.inspection import inspect

    opened = open_source(source)
    with _progress(opened, "inspecting", quiet=quiet) as bar:
        found = inspect(opened, advance=bar.advance)
    if as_json:
        echo(json.dumps(dataclasses.asdict(found), indent=2, ensure_ascii=False))
    else:
        echo(_inspection_text(found))


@data.command(
    "verify",
    short_help="Find damaged pictures and wrong downloads.",
    epilog="""\b
Examples:
  pgan-toolkit data verify celeba_hq.zip
  pgan-toolkit data verify ~/Downloads/CelebA --quick
  pgan-toolkit data verify downloads --manifest celeba""",
)
@_source
@click.option(
    "--manifest",
    metavar="NAME|FILE",
    help="Compare SRC's files with a manifest: celeba, cifar10, lsun, mnist, or a JSON file. A "
    "CelebA download is recognised without.",
)
@click.option("--quick", is_flag=True, help="Sizes and picture headers only: no digest, no pixels.")
@_quiet
def _verify(source: "Place", manifest: str | None, quick: bool, quiet: bool) -> None:
    """Decode every picture of SRC and list all damaged ones; check downloaded files.

    Duplicates and mixed sizes are told, but are no failure; nor is a part of a download. The exit
    code is 1 if a picture is damaged, or a file is not the published one.
    """
    from pgan_toolkit.storage import open_source
    from pgan_toolkit.storage.verification import check_download, check_pictures

    published = _manifest_for(source, manifest)
    problems = []
    if published is not None and isinstance(source, Path):
        with Progress(
            len(published.files), label="checking", unit="file", mode=_mode(quiet=quiet)
        ) as bar:
            download = check_download(source, published, quick=quick, advance=bar.advance)
        echo(_download_text(download, published, quick=quick))
        if not download.passed:
            problems.append(_download_problem(download, published))
    if published is None or _holds_pictures(source):
        opened = open_source(source)
        with _progress(opened, "verifying", quiet=quiet) as bar:
            pictures = check_pictures(opened, quick=quick, advance=bar.advance)
        echo(_pictures_text(pictures, quick=quick))
        if not pictures.passed:
            problems.append(
                f"{len(pictures.damaged):,} of {counted(pictures.count, 'picture')} damaged"
            )
    if problems:
        raise CheckFailed(f"{source}: {'; '.join(problems)}")


@data.command(
    "convert",
    short_help="Copy SRC to another format.",
    epilog="""\b
Examples:
  pgan-toolkit data convert celeba_hq celeba_hq.zip
  pgan-toolkit data convert celeba_hq.zip celeba_hq.h5 --format hdf5-multires
  pgan-toolkit data convert celeba_hq.zip celeba_hq_256.zip --size 256""",
)
@_source
@click.argument("out", type=PLACE)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMAT_NAMES),
    help="Of OUT.  [default: by its extension, else a folder]",
)
@click.option(
    "--size",
    type=click.IntRange(min=1),
    help="Reduce squares to so many pixels by means of 2x2, as training does.",
)
@_skip_bad
@_overwrite
@_quiet
def _convert(
    *,
    source: "Place",
    out: "Place",
    format_name: "FormatName | None",
    size: int | None,
    skip_bad: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Copy SRC to OUT in another format, with pixels, keys, labels and order.

    OUT appears when it is complete. hdf5 takes pictures of one size; hdf5-multires, which
    progressive GAN code reads, squares of 4, 8, ... 1024, ... pixels.
    """
    from pgan_toolkit.storage import convert, guess_format, open_sink, open_source

    opened = _reduced(open_source(source), size)
    chosen = guess_format(out) if format_name is None else format_name
    with (
        open_sink(out, format=chosen, overwrite=overwrite) as sink,
        _progress(opened, "converting", quiet=quiet) as bar,
    ):
        count = convert(
            opened,
            sink,
            on_bad=(lambda what: bar.note(f"left out: {what}")) if skip_bad else None,
            advance=bar.advance,
        )
    echo(f"{out}: {counted(count, 'picture')} as {chosen}")
    if count < len(opened):
        echo(f"left out: {counted(len(opened) - count, 'damaged picture')}")


def _reduced(source: "StoredSource", size: int | None) -> "StoredSource":
    if size is None:
        return source
    from reference_trainer.reals import ReducedSource

    return ReducedSource(source, resolution=size)


@data.command(
    "show",
    short_help="Draw a contact sheet of SRC.",
    epilog="Example: pgan-toolkit data show celeba_hq.zip --out sheet.png --count 40",
)
@_source
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The PNG file to make.")
@click.option("--count", type=click.IntRange(1, 10_000), default=64, show_default=True)
@click.option("--columns", type=click.IntRange(1, 100), default=8, show_default=True)
@click.option(
    "--tile", type=click.IntRange(16, 1024), default=128, show_default=True, help="Pixels."
)
@click.option("--keys", metavar="A,B,...", help="Show these pictures, in this order.")
@click.option("--first", is_flag=True, help="Show the first pictures, not a random choice.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@_overwrite
@_quiet
def _show(  # noqa: PLR0913 - one argument an option
    *,
    source: "Place",
    out: Path,
    count: int,
    columns: int,
    tile: int,
    keys: str | None,
    first: bool,
    seed: int,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Draw a contact sheet of SRC with the key under each picture."""
    from pgan_toolkit.imaging import Section, contact_sheet, encode_png
    from pgan_toolkit.storage import AtomicPath, open_source

    if out.suffix.lower() not in _GOOD_SUFFIXES:
        raise UsageError(f"{out}: the contact sheet is a PNG file; give it the extension .png")
    opened = open_source(source)
    if keys is not None:
        indices = _indices_of(keys.split(","), opened)
    else:
        indices = _choose(len(opened), count, seed=None if first else seed)
    with (
        AtomicPath(out, overwrite=overwrite) as temporary,
        Progress(len(indices), label="drawing", unit="picture", mode=_mode(quiet=quiet)) as bar,
    ):
        tiles = [_tile(opened, index, tile, bar) for index in indices]
        sheet = contact_sheet([Section(tiles)], columns=min(columns, len(tiles)), tile_px=tile)
        temporary.write_bytes(encode_png(sheet))
    echo(f"{out}: {len(indices):,} of {counted(len(opened), 'picture')}")


def _mode(*, quiet: bool) -> ProgressMode:
    return "quiet" if quiet else "auto"


def _progress(source: "StoredSource", label: str, *, quiet: bool) -> Progress:
    return Progress(len(source), label=label, unit="picture", mode=_mode(quiet=quiet))


def _manifest_for(source: "Place", name: str | None) -> "Manifest | None":
    from pgan_toolkit.storage.manifests import load_manifest
    from pgan_toolkit.storage.verification import find_download, is_download

    if name is not None:
        manifest = load_manifest(name)
        if manifest.kind != "download":
            raise UsageError(
                f"--manifest {name}: describes a list that comes with this program, and no files "
                "to download; name another manifest"
            )
        if not isinstance(source, Path) or not source.is_dir():
            raise UsageError(
                f"{source}: no folder of this machine; --manifest takes the folder of a download"
            )
        return manifest
    if not isinstance(source, Path) or not source.is_dir():
        return None
    celeba = load_manifest("celeba")
    if is_download(source, celeba):
        return celeba
    for path in find_download(source, celeba):
        echo(f"note: {path} is not CelebA's own file; taken for this dataset's")
    return None


def _holds_pictures(folder: "Place") -> bool:
    from pgan_toolkit.storage.folder import FolderSource

    return len(FolderSource(folder)) > 0


def _indices_of(keys: Sequence[str], source: "StoredSource") -> list[int]:
    places = {key: index for index, key in enumerate(source.keys())}
    missing = [key for key in keys if key not in places]
    if missing:
        raise UsageError(
            f"{source.path}: no picture has the key {missing[0]!r}; keys look like "
            f"{source.keys()[0]!r}"
        )
    return [places[key] for key in keys]


def _choose(available: int, count: int, *, seed: int | None) -> list[int]:
    """Take the first `count` indices, or with a seed a random choice in ascending order."""
    import numpy as np

    count = min(count, available)
    if seed is None:
        return list(range(count))
    chosen = np.random.default_rng(seed).choice(available, count, replace=False)
    return sorted(chosen.tolist())


def _tile(source: "StoredSource", index: int, tile_px: int, bar: Progress) -> "Tile":
    from pgan_toolkit.imaging import RED, Tile, shrink_to_fit

    key = source.keys()[index]
    bar.advance()
    try:
        record = source[index]
    except DataError as error:
        bar.note(f"damaged: {error}")
        return Tile(None, f"{key}\ndamaged", RED)
    label = "" if record.label is None else f"\nclass {record.label}"
    return Tile(shrink_to_fit(record.image, size_px=tile_px), f"{key}{label}")


def _inspection_text(found: "Inspection") -> str:
    rows = [
        ("format", found.format),
        ("pictures", f"{found.count:,}"),
        ("sizes", _histogram(found.sizes)),
        ("file types", _histogram(found.encodings)),
        ("detail", _histogram(found.losses)),
        ("bytes", f"{found.stored_bytes:,}"),
        ("labels", _labels_text(found)),
        ("ignored", _listing(found.ignored)),
        ("first keys", ", ".join(found.first_keys)),
    ]
    lines = [found.path, *(f"  {name:<11} {text}" for name, text in rows)]
    lines += [f"  damaged     {message}" for message in found.unreadable]
    return "\n".join(lines)


def _labels_text(found: "Inspection") -> str:
    if not found.labels:
        return "none"
    classes = _histogram({f"class {label}": count for label, count in found.labels.items()})
    unlabelled = f"; {found.unlabelled:,} without" if found.unlabelled else ""
    noun = "class" if len(found.labels) == 1 else "classes"
    return f"{len(found.labels):,} {noun}: {classes}{unlabelled}"


def _histogram(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    shown = [
        f"{name} {count:,} ({100 * count / total:.1f} %)"
        for name, count in list(counts.items())[:_SHOWN_ROWS]
    ]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f", and {more:,} more" if more else "")


def _listing(names: Sequence[str]) -> str:
    if not names:
        return "none"
    more = len(names) - _SHOWN_ROWS
    ending = f", and {more:,} more" if more > 0 else ""
    return f"{counted(len(names), 'file')}: {', '.join(map(visible, names[:_SHOWN_ROWS]))}{ending}"


def _pictures_text(check: "PictureCheck", *, quick: bool) -> str:
    how = "by their headers" if quick else "decoded"
    lines = [
        f"pictures: {check.count - len(check.damaged):,} of {check.count:,} are good ({how})",
        f"sizes: {_histogram(check.sizes) or 'none'}",
    ]
    lines += [f"damaged: {message}" for message in check.damaged.values()]
    lines += [f"identical pixels: {', '.join(keys)}" for keys in check.duplicates]
    return "\n".join(lines)


def _download_text(check: "DownloadCheck", manifest: "Manifest", *, quick: bool) -> str:
    how = "by their sizes" if quick else "by their digests"
    present = len(check.good) + len(check.wrong)
    lines = [
        f"{manifest.title}: {present} of {len(manifest.files)} files are here, "
        f"{len(check.good)} of them good ({how})"
    ]
    lines += [f"wrong: {problem}" for problem in check.wrong.values()]
    lines += [f"not here: {path}" for path in check.missing]
    return "\n".join(lines)


def _download_problem(check: "DownloadCheck", manifest: "Manifest") -> str:
    if not check.wrong:
        return f"it holds none of the files of {manifest.name}"
    return f"{counted(len(check.wrong), 'file')} of {manifest.name} wrong; get them again"
