"""`pgan-toolkit swd`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pgan_cli.metric_options import (
    json_option,
    metric_device_option,
    no_cache_option,
    open_cache,
    set_argument,
    stream_options,
    stream_settings,
)
from pgan_cli.metric_output import finish
from pgan_cli.reports import json_place

if TYPE_CHECKING:  # it would load all that decodes, which --help does without
    from pgan_toolkit.storage import Place

__all__ = ["swd"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit swd real/ fake/
  pgan-toolkit swd celeba.zip snapshot_10/ snapshot_20/ --floor --json swd.json
  pgan-toolkit swd real/ fake/ --images 4096 --bootstrap 20
"""


@click.command(epilog=_EXAMPLES)
@set_argument("real")
@set_argument("fakes", nargs=-1)
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Independent repeats of 128 directions, over which the standard error is.",
)
@click.option(
    "--bootstrap",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Draw the images of both sides anew N times: an interval over images.  [default: none]",
)
@click.option("--floor", is_flag=True, help="Compare the real pictures with each other too.")
@stream_options(images=16_384)
@metric_device_option
@no_cache_option
@json_option
def swd(  # noqa: PLR0913 - one argument an option
    *,
    real: "Place",
    fakes: "tuple[Place, ...]",
    repeats: int,
    bootstrap: int,
    floor: bool,
    device: str,
    no_cache: bool,
    report: Path | None,
    quiet: bool,
    **reading: Any,
) -> None:
    """Measure the sliced Wasserstein distance of Laplacian patches, by level and on average.

    REAL and FAKES are datasets of any format, or training runs, of one size. All FAKES are compared
    with the same patches of REAL along the same directions. Lower is better; the published
    protocol takes 16,384 images of each set, and numbers of other counts are not comparable. A
    change of colour, brightness or contrast that all pictures of a set share is invisible to it.
    """
    from pgan_toolkit.devices import find_device
    from pgan_toolkit.evaluation.measure_swd import measure_swd
    from pgan_toolkit.evaluation.protocol import require_distinct
    from pgan_toolkit.evaluation.streams import ImageStream
    from pgan_toolkit.metrics.descriptors import SwdSettings

    require_distinct(fakes)
    where = find_device(device)
    how = stream_settings(reading, quiet=quiet)
    with json_place(report, required=quiet) as place:
        measured = measure_swd(
            ImageStream(real, how),
            [ImageStream(fake, how) for fake in fakes],
            settings=SwdSettings(repeats=repeats, seed=how.seed),
            bootstrap=bootstrap,
            floor=floor,
            device=where,
            cache=open_cache(no_cache=no_cache, quiet=quiet),
        )
        named = zip(fakes, measured.fakes, strict=True)
        results = {f"{fake} against {real}": result for fake, result in named}
        if measured.floor is not None:
            results[f"{real} against itself"] = measured.floor
        finish(results, place=place, streams=measured.streams, quiet=quiet)
