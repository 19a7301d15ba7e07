"""`pgan-toolkit fid`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pgan_cli.feature_pairs import pair_arguments, pair_options
from pgan_cli.metric_options import open_cache, open_inception, stream_settings
from pgan_cli.metric_output import finish
from pgan_cli.reports import json_place, report_place

from pgan_toolkit.errors import UsageError

if TYPE_CHECKING:
    from pgan_toolkit.evaluation.statistics_files import StoredStatistics
    from pgan_toolkit.evaluation.streams import ImageStream, StreamSettings
    from pgan_toolkit.storage import Place

__all__ = ["fid"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit fid real/ fake/
  pgan-toolkit fid real/ fake/ --jackknife 10 --save-statistics real.npz
  pgan-toolkit fid real.npz snapshot_20.zip --json fid.json
"""
_STATISTICS = ".npz"


@click.command(epilog=_EXAMPLES)
@pair_arguments
@click.option(
    "--jackknife",
    "groups",
    type=click.IntRange(min=0),
    default=0,
    metavar="GROUPS",
    help="Give an interval and the distance without its bias: leave out one of so many groups of "
    "fake images after the other.  [default: none]",
)
@click.option(
    "--save-statistics",
    "kept",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write mean and covariance of REAL's features here, to be given in its place: an .npz "
    "file, which pytorch-fid reads too.",
)
@pair_options
def fid(  # noqa: PLR0913 - one argument an option
    *,
    real: "Place",
    fake: "Place",
    groups: int,
    kept: Path | None,
    weights: Path | None,
    device: str,
    no_cache: bool,
    report: Path | None,
    quiet: bool,
    **reading: Any,
) -> None:
    """Measure the Frechet distance of Inception features (FID).

    REAL and FAKE are datasets of any format, training runs, or .npz files of statistics (mu and
    sigma): ours, pytorch-fid's or clean-fid's. Lower is better. Few images raise it: compare
    equal numbers only, 50,000 by the protocol and never below 2,048.
    """
    from pgan_toolkit.evaluation.measure_fid import measure_fid
    from pgan_toolkit.evaluation.statistics_files import require_one_convention, write_statistics
    from pgan_toolkit.evaluation.streams import ImageStream

    how = stream_settings(reading, quiet=quiet)
    _check(real, kept)
    with json_place(report, required=quiet) as place, report_place(kept) as statistics:
        sides = _open(real, how), _open(fake, how)
        streams = [side for side in sides if isinstance(side, ImageStream)]
        stored = {
            f"{name} {path}": side
            for name, path, side in zip(("real", "fake"), (real, fake), sides, strict=True)
            if not isinstance(side, ImageStream)
        }
        require_one_convention(stored, pictures=bool(streams))
        measured = measure_fid(
            *sides,
            extractor=open_inception(weights=weights, device=device, quiet=quiet)
            if streams
            else None,
            jackknife_groups=groups,
            seed=how.seed,
            cache=open_cache(no_cache=no_cache, quiet=quiet),
        )
        if statistics is not None:
            with statistics.writing() as temporary:
                write_statistics(temporary, measured.real_statistics(), overwrite=True)
        title = f"{fake} against {real}"
        finish({title: measured.result}, place=place, streams=streams, quiet=quiet)


def _check(real: "Place", kept: Path | None) -> None:
    if kept is None:
        return
    if kept.suffix.lower() != _STATISTICS:
        raise UsageError(f"{kept}: statistics are an {_STATISTICS} file; give it that extension")
    if _is_statistics(real):
        raise UsageError(f"{real}: holds statistics already; --save-statistics takes pictures")


def _open(path: "Place", how: "StreamSettings") -> "ImageStream | StoredStatistics":
    from pgan_toolkit.evaluation.statistics_files import read_statistics
    from pgan_toolkit.evaluation.streams import ImageStream

    if isinstance(path, Path) and _is_statistics(path):
        return read_statistics(path)
    return ImageStream(path, how)


def _is_statistics(path: "Place") -> bool:
    """Whether it is an .npz file of mu and sigma; there are sets of images in .npz too."""
    from pgan_toolkit.evaluation.statistics_files import holds_statistics

    if path.suffix.lower() != _STATISTICS or not isinstance(path, Path) or path.is_dir():
        return False
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    return holds_statistics(path)
