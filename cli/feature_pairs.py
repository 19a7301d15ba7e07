"""What commands share that compare the Inception features of two sets: options, and the way."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:  # it would load torch, which --help does without
    from pgan_toolkit.metrics.result import Result
    from pgan_toolkit.storage import Place

__all__ = ["compare_pair", "pair_arguments", "pair_options"]


def pair_arguments(command: Any) -> Any:
    """Add the arguments REAL and FAKE."""
    return set_argument("real")(set_argument("fake")(command))


def pair_options(command: Any) -> Any:
    """Add the options of the network, of how sets are read, and of what becomes of the result."""
    for option in (json_option, no_cache_option, metric_device_option):
        command = option(command)
    return weights_option(stream_options(images=None)(command))


def compare_pair(  # noqa: PLR0913 - one argument an option
    measure: "Callable[..., Result]",
    *,
    real: "Place",
    fake: "Place",
    weights: Path | None,
    device: str,
    no_cache: bool,
    report: Path | None,
    quiet: bool,
    **reading: Any,
) -> None:
    """Measure two sets as the options say, and show or write the result.

    Parameters
    ----------
    measure : callable
        Takes the streams of `real` and `fake`, `extractor` and `cache`.
    real, fake, weights, device, no_cache, report, quiet, reading
        Values of `pair_arguments` and `pair_options`.
    """
    from pgan_toolkit.evaluation.streams import ImageStream

    how = stream_settings(reading, quiet=quiet)
    with json_place(report, required=quiet) as place:
        streams = [ImageStream(real, how), ImageStream(fake, how)]
        result = measure(
            *streams,
            extractor=open_inception(weights=weights, device=device, quiet=quiet),
            cache=open_cache(no_cache=no_cache, quiet=quiet),
        )
        finish({f"{fake} against {real}": result}, place=place, streams=streams, quiet=quiet)
