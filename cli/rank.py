"""`pgan-toolkit rank`."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pgan_cli.options import PLACE, quiet_option, workers_option
from pgan_cli.reports import STANDARD_OUTPUT
from pgan_cli.terminal import echo

from pgan_toolkit.errors import DataError, UsageError

if TYPE_CHECKING:  # it would load all that decodes, which --help does without
    from pgan_toolkit.celebahq import Ranking
    from pgan_toolkit.storage import AtomicPath, Place

__all__ = ["rank"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit rank photos/
  pgan-toolkit rank portrait.jpg celeba_hq.zip --csv scores.csv
"""


@click.command(epilog=_EXAMPLES)
@click.argument("pictures", nargs=-1, required=True, type=PLACE)
@click.option(
    "--csv",
    "table",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write ranks, scores and their components here (-: print them), in place of the list.",
)
@workers_option
@quiet_option
def rank(
    *, pictures: "tuple[Place, ...]", table: Path | None, workers: int | None, quiet: bool
) -> None:
    """Score the quality of any pictures, best first.

    PICTURES are files, folders and datasets. A high score means: detail at all frequencies, in
    all directions alike; no blur, screens, blocks or noise. Scores compare pictures of one size.
    """
    from pgan_toolkit.celebahq import rank_pictures
    from pgan_toolkit.engines import available_cores

    if quiet and table is None:
        raise UsageError("--quiet shows no scores: name a file for them (--csv FILE)")
    # The table's place is taken before hours of scoring, not found wanting after them.
    printed = table == STANDARD_OUTPUT
    with nullcontext() if table is None or printed else _place(table) as place:
        ranking = rank_pictures(
            pictures, workers=workers or available_cores(), mode="quiet" if quiet else "auto"
        )
        if place is not None:
            place.write_bytes(ranking.to_csv().encode())
    if printed:
        echo(ranking.to_csv(), nl=False)
    elif table is None:
        for picture in ranking.pictures:
            echo(f"{picture.quality.score:8.3f}  {picture.name}")
    if ranking.unreadable:
        raise _unreadable(ranking)


def _place(table: Path) -> "AtomicPath":
    from pgan_toolkit.storage import AtomicPath

    if not table.parent.is_dir():
        raise UsageError(f"{table}: there is no folder {table.parent}; make it, or name another")
    return AtomicPath(table, overwrite=True)


def _unreadable(ranking: "Ranking") -> DataError:
    total = len(ranking.pictures) + len(ranking.unreadable)
    reasons = "\n".join(f"  {picture.reason}" for picture in ranking.unreadable)
    return DataError(
        f"{len(ranking.unreadable):,} of {total:,} pictures could not be scored "
        f"(the others were):\n{reasons}"
    )
