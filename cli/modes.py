"""`pgan-toolkit modes`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from pgan_cli.metric_options import (
    json_option,
    metric_device_option,
    set_argument,
    stream_settings,
)
from pgan_cli.metric_output import finish
from pgan_cli.options import quiet_option
from pgan_cli.reports import json_place, report_place

from pgan_toolkit.errors import UsageError

if TYPE_CHECKING:  # it would load torch, which --help does without
    from pgan_toolkit.metrics.modes import DiscreteModes
    from pgan_toolkit.storage import Place

__all__ = ["modes"]

_IMAGES, _REPEATS = 25_600, 10  # the published protocol
_EXAMPLES = """\b
Examples:
  pgan-toolkit modes fake/
  pgan-toolkit modes fake.zip --histogram modes.png --json modes.json
"""


@click.command(epilog=_EXAMPLES)
@set_argument("fake")
@click.option(
    "--images",
    type=click.IntRange(min=1),
    default=_IMAGES,
    show_default=True,
    help="Of one repeat.",
)
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    default=_REPEATS,
    show_default=True,
    help="As many as FAKE has images for, at most these.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of the choice of images, where FAKE has more.",
)
@click.option(
    "--histogram",
    "picture",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw how many images each of the 1000 modes has: a PNG file.",
)
@json_option
@click.option(
    "--weights",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Of the classifier, as train-digits makes them.  [default: those that come along]",
)
@click.option("--skip-bad", is_flag=True, help="Leave unreadable pictures out, with a warning.")
@metric_device_option
@quiet_option
def modes(  # noqa: PLR0913 - one argument an option
    *,
    fake: "Place",
    images: int,
    repeats: int,
    seed: int,
    picture: Path | None,
    report: Path | None,
    weights: Path | None,
    skip_bad: bool,
    device: str,
    quiet: bool,
) -> None:
    """Count the modes of generated stacked MNIST, of 1000, and their KL from uniform in nats.

    FAKE is a dataset of any format, or a training run, with a digit in each channel, 28x28 or
    32x32. Each digit is classified; the mode is R + 10 G + 100 B. Real ones score 1000 modes and a
    KL of about 0.02 by the protocol: ten repeats of 25,600 images.
    """
    from pgan_toolkit.devices import find_device
    from pgan_toolkit.evaluation.digits import bundled_digits, count_modes, load_classifier
    from pgan_toolkit.evaluation.protocol import about_sets
    from pgan_toolkit.evaluation.streams import ImageStream

    if picture is not None and picture.suffix.lower() != ".png":
        raise UsageError(f"{picture}: the histogram is a PNG file; give it the extension .png")
    reading = {"images": images * repeats, "seed": seed, "skip_bad": skip_bad}
    with (
        json_place(report, required=quiet and picture is None) as place,
        report_place(picture) as drawing,
    ):
        classifier = load_classifier(weights or bundled_digits(), device=find_device(device))
        stream = ImageStream(fake, stream_settings(reading, quiet=quiet))
        counted, read = count_modes(stream, classifier=classifier, images=images, repeats=repeats)
        if drawing is not None:
            drawing.write(_drawn(counted, fake, images=images))
        result = about_sets(counted.compute(), read)
        finish({str(fake): result}, place=place, streams=[read], quiet=quiet)


def _drawn(counted: "DiscreteModes", fake: "Place", *, images: int) -> bytes:
    from pgan_toolkit.imaging import encode_png
    from pgan_toolkit.imaging.histogram import draw_modes

    result = counted.compute()
    modes, kl = result.components["modes"], result.components["kl"]
    repeats = result.images["fake"] // images
    several = f": means of {repeats} repeats of {images:,} images, whose sum is below"
    line = f"{fake.name}: {modes:,.4g} of 1000 modes, KL {kl:.4f} nats"
    return encode_png(draw_modes(counted.histogram, title=[line + several * (repeats > 1)]))
