"""`pgan-toolkit kid`."""

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

__all__ = ["kid"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit kid real/ fake/
  pgan-toolkit kid real.zip fake.zip --subsets 50 --whole-sets --json kid.json
"""


@click.command(epilog=_EXAMPLES)
@set_argument("real")
@set_argument("fake")
@click.option(
    "--subsets", type=click.IntRange(min=1), default=100, show_default=True, help="How many."
)
@click.option(
    "--subset-size",
    type=click.IntRange(min=2),
    default=1000,
    show_default=True,
    help="Images of each side in a subset.",
)
@click.option("--whole-sets", is_flag=True, help="Estimate it from all pairs of images too.")
@weights_option
@stream_options(images=None)
@metric_device_option
@no_cache_option
@json_option
def kid(  # noqa: PLR0913 - one argument an option
    *,
    real: Path,
    fake: Path,
    subsets: int,
    subset_size: int,
    whole_sets: bool,
    weights: Path | None,
    device: str,
    no_cache: bool,
    report: Path | None,
    quiet: bool,
    **reading: Any,
) -> None:
    """Measure the kernel distance of Inception features (KID), which few images do not raise.

    REAL and FAKE are folders, zip or HDF5 files of pictures of any size. Lower is better; the
    estimate has no bias, so that of equal sets it scatters around 0, also below. Many papers print
    1000 times this number.
    """
    from pgan_toolkit.evaluation.measure_kid import measure_kid
    from pgan_toolkit.evaluation.streams import ImageStream

    how = stream_settings(reading, quiet=quiet)
    with json_place(report, required=quiet) as place:
        streams = [ImageStream(real, how), ImageStream(fake, how)]
        result = measure_kid(
            *streams,
            extractor=open_inception(weights=weights, device=device, quiet=quiet),
            subsets=subsets,
            subset_size=subset_size,
            whole_sets=whole_sets,
            cache=open_cache(no_cache=no_cache, quiet=quiet),
        )
        finish({f"{fake} against {real}": result}, place=place, streams=streams, quiet=quiet)
