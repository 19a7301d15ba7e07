"""`pgan-toolkit modes`."""

from dataclasses import replace
from pathlib import Path

import click
from pgan_cli.metric_output import show_results, write_results
from pgan_cli.options import device_option, quiet_option
from pgan_cli.reports import report_place

from pgan_toolkit.devices import find_device
from pgan_toolkit.errors import UsageError
from pgan_toolkit.evaluation.digits import bundled_digits, count_modes, load_classifier
from pgan_toolkit.evaluation.streams import ImageStream, StreamSettings
from pgan_toolkit.imaging import encode_png
from pgan_toolkit.imaging.histogram import draw_modes
from pgan_toolkit.metrics.modes import MODES_IMAGES, MODES_REPEATS, DiscreteModes
from pgan_toolkit.metrics.result import Result

__all__ = ["modes"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit modes fake/
  pgan-toolkit modes fake.zip --histogram modes.png --json modes.json
"""


@click.command(epilog=_EXAMPLES)
@click.argument("fake", type=click.Path(path_type=Path))
@click.option(
    "--images",
    type=click.IntRange(min=1),
    default=MODES_IMAGES,
    show_default=True,
    help="Of one repeat.",
)
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    default=MODES_REPEATS,
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
@click.option(
    "--json",
    "report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the result here as well.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="Of the classifier, as train-digits makes them.  [default: those that come along]",
)
@click.option("--skip-bad", is_flag=True, help="Leave unreadable pictures out, with a warning.")
@device_option
@quiet_option
def modes(  # noqa: PLR0913 - one argument an option
    *,
    fake: Path,
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

    FAKE is a folder, a zip or an HDF5 file of pictures with a digit in each channel, 28x28 or
    32x32. Each digit is classified; the mode is R + 10 G + 100 B. Real ones score 1000 modes and a
    KL of about 0.02 by the protocol: ten repeats of 25,600 images.
    """
    if picture is not None and picture.suffix.lower() != ".png":
        raise UsageError(f"{picture}: the histogram is a PNG file; give it the extension .png")
    classifier = load_classifier(weights or bundled_digits(), device=find_device(device))
    stream = ImageStream(
        fake,
        StreamSettings(
            images=images * repeats,
            seed=seed,
            skip_bad=skip_bad,
            mode="quiet" if quiet else "auto",
        ),
    )
    with report_place(picture) as drawing, report_place(report) as table:
        counted, read = count_modes(stream, classifier=classifier, images=images, repeats=repeats)
        results = {str(fake): _result(counted, read)}
        if drawing is not None:
            drawing.write_bytes(_drawn(counted, fake))
        if table is not None:
            write_results(table, results, sets=[read.describe()])
    if not quiet:
        show_results(results)


def _result(counted: DiscreteModes, read: ImageStream) -> Result:
    drawn = len(read) < len(read.source)
    result = counted.compute().warned(*read.warnings())
    return replace(result, seed=read.settings.seed if drawn else None)


def _drawn(counted: DiscreteModes, fake: Path) -> bytes:
    parts = counted.compute().components
    line = f"{fake.name}: {parts['modes']:,.1f} of 1000 modes, KL {parts['kl']:.4f}"
    return encode_png(draw_modes(counted.histogram, title=[line]))
