"""`pgan-toolkit neighbours`."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pgan_cli.metric_options import (
    json_option,
    metric_device_option,
    set_argument,
    stream_options,
    stream_settings,
    weights_option,
)
from pgan_cli.reports import PrintedReport, json_place, report_place
from pgan_cli.terminal import echo

from pgan_toolkit.errors import UsageError
from pgan_toolkit.wording import counted

if TYPE_CHECKING:
    from pgan_toolkit.evaluation.measure_neighbours import NeighbourTable
    from pgan_toolkit.storage import Place

__all__ = ["neighbours"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit neighbours fake/ real/ --out neighbours.png
  pgan-toolkit neighbours fake/ real/ --out n.png --extractor pixels --queries 1000 --csv n.csv
"""
_SHOWN = 16
_DRAWN = 64


@click.command(epilog=_EXAMPLES)
@set_argument("fake")
@set_argument("real")
@click.option(
    "--out",
    "picture",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Draw each fake picture beside its neighbours: a PNG file, of the first {_DRAWN}.",
)
@click.option(
    "--csv",
    "table",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write all neighbours here: fake, rank, real, distance.",
)
@click.option(
    "--queries",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Search for so many pictures of FAKE, chosen by the seed.",
)
@click.option(
    "--nearest",
    "k",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Neighbours of each.",
)
@click.option(
    "--extractor",
    type=click.Choice(["vgg16", "pixels", "inception-2015-12-05"]),
    default="vgg16",
    show_default=True,
    help="What pictures are compared by; pixels needs no network.",
)
@weights_option
@stream_options(images=None, of="REAL")
@metric_device_option
@json_option
def neighbours(  # noqa: PLR0913 - one argument an option
    *,
    fake: "Place",
    real: "Place",
    picture: Path,
    table: Path | None,
    queries: int,
    k: int,
    extractor: str,
    weights: Path | None,
    device: str,
    report: Path | None,
    quiet: bool,
    **reading: Any,
) -> None:
    """Find the training pictures that generated ones look most like, on the central crop.

    FAKE and REAL are datasets of any format, or training runs. A generator that copies its training
    pictures shows here; one that does not has neighbours that only resemble. By vgg16 distances
    run from 0 to 1.41, by pixels they are root mean square grey levels.
    """
    from pgan_toolkit.devices import find_device
    from pgan_toolkit.evaluation.extractors import open_extractor
    from pgan_toolkit.evaluation.measure_neighbours import find_neighbours
    from pgan_toolkit.evaluation.streams import ImageStream
    from pgan_toolkit.imaging import encode_png

    if picture.suffix.lower() != ".png":
        raise UsageError(f"{picture}: a PNG file is written; give it the extension .png")
    where = find_device(device)
    how = stream_settings(reading, quiet=quiet)
    with (
        report_place(picture) as drawing,
        report_place(table) as rows,
        json_place(report) as place,
    ):
        searched = ImageStream(real, how)
        asked = ImageStream(fake, replace(how, images=queries))
        network = open_extractor(extractor, weights=weights, device=where, progress=how.mode)
        found = find_neighbours(asked, searched, extractor=network, k=k)
        if drawing is not None:
            drawing.write(encode_png(found.draw(asked, searched, rows=_DRAWN)))
        if rows is not None:
            rows.write(found.to_csv().encode(errors="backslashreplace"))
        if place is not None:
            sets = [stream.describe() for stream in (asked, searched)]
            place.write(json.dumps({**found.to_dict(), "sets": sets}, indent=1).encode() + b"\n")
    if not quiet:
        _show(found, table=not isinstance(place, PrintedReport))


def _show(found: "NeighbourTable", *, table: bool) -> None:
    if table:
        _show_table(found)
    for warning in found.warnings:
        echo(f"warning: {warning}", err=True)


def _show_table(found: "NeighbourTable") -> None:
    echo(
        f"nearest of {counted(found.searched, 'real picture')}, with distances by {found.extractor}"
    )
    shown = found.rows[:_SHOWN]
    cells = [
        [row.key, *(f"{near.key} {near.distance:#.4g}" for near in row.neighbours)] for row in shown
    ]
    heads = ["fake", "nearest", *(f"{rank}." for rank in range(2, len(cells[0])))]
    widths = [max(map(len, column)) for column in zip(*cells, heads, strict=True)]
    for line in (heads, *cells):
        padded = (f"{cell:{width}}" for cell, width in zip(line, widths, strict=True))
        echo(f"  {'  '.join(padded)}".rstrip())
    if len(found.rows) > _SHOWN:
        echo(f"  and of {counted(len(found.rows) - _SHOWN, 'other')}: see --csv")
