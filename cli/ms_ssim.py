"""`pgan-toolkit ms-ssim`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pgan_cli.metric_options import (
    json_option,
    metric_device_option,
    set_argument,
    stream_options,
    stream_settings,
)
from pgan_cli.metric_output import finish
from pgan_cli.reports import json_place

if TYPE_CHECKING:  # it would load all that decodes, which --help does without
    from pgan_toolkit.storage import Place

__all__ = ["ms_ssim"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit ms-ssim fake/
  pgan-toolkit ms-ssim fake.zip --images 20000 --json ms_ssim.json
"""


@click.command("ms-ssim", epilog=_EXAMPLES)
@set_argument("fake")
@click.option(
    "--convention",
    type=click.Choice(["paper", "standard"]),
    default="paper",
    show_default=True,
    help="paper: as published, 16 pixels and up; standard: as pytorch-msssim, 161 and up.",
)
@stream_options(images=20_000, of="the set")
@metric_device_option
@json_option
def ms_ssim(
    *, fake: "Place", convention: Any, device: str, report: Path | None, quiet: bool, **reading: Any
) -> None:
    """Measure how alike the pictures of a set are: MS-SSIM of consecutive pairs.

    FAKE is a dataset of any format, or a training run, of one size. 0: all differ; 1: all are
    equal. It says nothing of how good they are. The published protocol takes 20,000 images.
    """
    from pgan_toolkit.devices import find_device
    from pgan_toolkit.evaluation.measure_ms_ssim import measure_ms_ssim
    from pgan_toolkit.evaluation.streams import ImageStream

    where = find_device(device)
    with json_place(report, required=quiet) as place:
        stream = ImageStream(fake, stream_settings(reading, quiet=quiet))
        result = measure_ms_ssim(stream, convention=convention, device=where)
        finish({str(fake): result}, place=place, streams=[stream], quiet=quiet)
