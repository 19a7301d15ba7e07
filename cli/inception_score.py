"""`pgan-toolkit inception-score`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pgan_cli.metric_options import (
    json_option,
    metric_device_option,
    open_inception,
    set_argument,
    stream_options,
    stream_settings,
    weights_option,
)
from pgan_cli.metric_output import finish
from pgan_cli.reports import json_place

if TYPE_CHECKING:  # it would load all that decodes, which --help does without
    from pgan_toolkit.storage import Place

__all__ = ["inception_score"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit inception-score fake/
  pgan-toolkit inception-score fake.zip --images 50000 --json score.json
"""


@click.command("inception-score", epilog=_EXAMPLES)
@set_argument("fake")
@click.option(
    "--splits",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Contiguous parts of the set, over which the mean is.",
)
@weights_option
@stream_options(images=None, of="the set")
@metric_device_option
@json_option
def inception_score(
    *,
    fake: "Place",
    splits: int,
    weights: Path | None,
    device: str,
    report: Path | None,
    quiet: bool,
    **reading: Any,
) -> None:
    """Measure how surely and how evenly pictures fall into ImageNet's classes.

    FAKE is a dataset of any format, or a training run. Higher is better, of objects;
    of faces it says little. The published protocol takes 50,000 images.
    """
    from pgan_toolkit.evaluation.measure_inception_score import measure_inception_score
    from pgan_toolkit.evaluation.streams import ImageStream

    with json_place(report, required=quiet) as place:
        stream = ImageStream(fake, stream_settings(reading, quiet=quiet))
        network = open_inception(weights=weights, device=device, quiet=quiet)
        result = measure_inception_score(stream, extractor=network, splits=splits)
        finish({str(fake): result}, place=place, streams=[stream], quiet=quiet)
