"""Options that the commands of metrics share."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pgan_cli.options import PLACE, quiet_option
from pgan_cli.terminal import echo

if TYPE_CHECKING:  # it would load torch, which --help does without
    from pgan_toolkit.evaluation.cache import StatisticsCache
    from pgan_toolkit.evaluation.extractors import FeatureExtractor
    from pgan_toolkit.evaluation.streams import StreamSettings

__all__ = [
    "Reading",
    "json_option",
    "metric_device_option",
    "no_cache_option",
    "open_cache",
    "open_inception",
    "set_argument",
    "stream_options",
    "stream_settings",
    "weights_option",
]

Reading = dict[str, Any]
"""Values of `stream_options`, but for --quiet."""

json_option = click.option(
    "--json",
    "report",
    metavar="FILE|-",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write the result here as well, with all that it was made from; - prints it in place of "
    "the table.",
)
metric_device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="Where to compute: auto (the GPU where there is one), cpu, cuda or cuda:N.",
)
no_cache_option = click.option(
    "--no-cache", is_flag=True, help="Neither look up nor keep what is computed of the real side."
)
weights_option = click.option(
    "--weights",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The network's weight file.  [default: the public one, downloaded once]",
)


def set_argument(name: str, *, nargs: int = 1) -> Callable[[Any], Any]:
    """Return an argument that names a set of pictures."""
    return click.argument(name, nargs=nargs, required=True, type=PLACE)


def stream_options(*, images: int | None, of: str = "each set") -> Callable[[Any], Any]:
    """Return a decorator that adds the options of how sets are read.

    Parameters
    ----------
    images : int | None
        How many images are used where nothing is said; None: all.
    of : str
        Of what --images is, in its help.
    """
    shown = "all" if images is None else f"{images}"
    options = (
        click.option(
            "--images",
            type=click.IntRange(min=1),
            default=images,
            help=f"Use so many of {of}, at most.  [default: {shown}]",
        ),
        click.option(
            "--seed",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="Of all that is drawn, the choice of images included.",
        ),
        click.option(
            "--batch-size",
            type=click.IntRange(min=1),
            help="Pictures at a time.  [default: as many as suit the memory]",
        ),
        click.option(
            "--skip-bad", is_flag=True, help="Leave unreadable pictures out, with a warning."
        ),
        quiet_option,
    )

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def stream_settings(reading: Reading, *, quiet: bool) -> "StreamSettings":
    """Return the settings that the options of `stream_options` mean."""
    from pgan_toolkit.evaluation.streams import StreamSettings

    return StreamSettings(**reading, mode="quiet" if quiet else "auto")


def open_cache(*, no_cache: bool, quiet: bool) -> "StatisticsCache | None":
    """Return the cache of the real side, which tells its notes on standard error; None if none."""
    from pgan_toolkit.evaluation.cache import StatisticsCache

    if no_cache:
        return None
    return StatisticsCache(note=lambda line: None if quiet else echo(line, err=True))


def open_inception(*, weights: Path | None, device: str, quiet: bool) -> "FeatureExtractor":
    """Return the network of FID, KID, inception score, precision and recall, on its device."""
    from pgan_toolkit.devices import find_device
    from pgan_toolkit.evaluation.extractors import INCEPTION, open_extractor

    mode: Any = "quiet" if quiet else "auto"
    return open_extractor(INCEPTION, weights=weights, device=find_device(device), progress=mode)
