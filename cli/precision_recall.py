"""`pgan-toolkit precision-recall`."""

from pathlib import Path
from typing import Any

import click
from pgan_cli.metric_options import (
    json_option,
    metric_device_option,
    no_cache_option,
    open_cache,
    open_inception,
    set_argument,
    stream_options,
    stream_settings,
    weights_option,
)
from pgan_cli.metric_output import finish
from pgan_cli.reports import json_place

__all__ = ["precision_recall"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit precision-recall real/ fake/
  pgan-toolkit precision-recall real.zip fake.zip --images 10000 --json pr.json
"""


@click.command("precision-recall", epilog=_EXAMPLES)
@set_argument("real")
@set_argument("fake")
@click.option(
    "--neighbours",
    "k",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Of precision and recall.",
)
@click.option(
    "--density-neighbours",
    "density_k",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Of density and coverage.",
)
@weights_option
@stream_options(images=None)
@metric_device_option
@no_cache_option
@json_option
def precision_recall(  # noqa: PLR0913 - one argument an option
    *,
    real: Path,
    fake: Path,
    k: int,
    density_k: int,
    weights: Path | None,
    device: str,
    no_cache: bool,
    report: Path | None,
    quiet: bool,
    **reading: Any,
) -> None:
    """Measure precision, recall, density and coverage of Inception features.

    REAL and FAKE are folders, zip or HDF5 files of pictures of any size. Precision and density:
    are the fakes like reals? Recall and coverage: are all reals reached? Higher is better.
    """
    from pgan_toolkit.evaluation.measure_precision_recall import measure_precision_recall
    from pgan_toolkit.evaluation.streams import ImageStream

    how = stream_settings(reading, quiet=quiet)
    with json_place(report, required=quiet) as place:
        streams = [ImageStream(real, how), ImageStream(fake, how)]
        result = measure_precision_recall(
            *streams,
            extractor=open_inception(weights=weights, device=device, quiet=quiet),
            k=k,
            density_k=density_k,
            cache=open_cache(no_cache=no_cache, quiet=quiet),
        )
        finish({f"{fake} against {real}": result}, place=place, streams=streams, quiet=quiet)
