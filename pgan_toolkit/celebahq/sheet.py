"""The contact sheet of a build: the best and the worst of what was kept, and what was not."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pgan_toolkit.arrays import Image
from pgan_toolkit.celebahq.ledger import Row, Verdict
from pgan_toolkit.celebahq.work import Worker
from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import (
    AMBER,
    GREEN,
    RED,
    Colour,
    Section,
    Tile,
    contact_sheet,
    decode_image,
    encode_png,
    shrink_to_fit,
)
from pgan_toolkit.storage import atomic_write_bytes

__all__ = ["write_contact_sheet"]

_COLUMNS = 8
_TILE_PX = 128
_MOST_KEPT = 32
_MOST_OTHERS = 16
_NOT_OPENED = ("unreadable", "no picture", "worker died", "unexpected error")


class _Group(NamedTuple):
    verdict: str
    colour: Colour
    title: str
    most: int


_GROUPS = (
    _Group("kept", GREEN, "kept, best first", _MOST_KEPT),
    _Group("rejected", AMBER, "rejected: too low in the ranking", _MOST_OTHERS),
    _Group("duplicate", AMBER, "identical to a picture that was kept", _MOST_OTHERS),
    _Group("failed", RED, "failed", _MOST_OTHERS),
)


def write_contact_sheet(
    path: Path,
    *,
    verdicts: Sequence[Verdict],
    row_of: Callable[[str], Row],
    photographs: Mapping[str, Path],
    worker: Worker,
) -> None:
    """Draw the first and the last of every verdict, and write the sheet as PNG.

    Parameters
    ----------
    path : Path
        The file to write.
    verdicts : Sequence[Verdict]
        All of them, as `select` orders them.
    row_of : callable
        Key -> row.
    photographs : Mapping
        Photograph key -> its file.
    worker : Worker
        Renders what was not kept; kept crops are read from its spool.
    """

    def picture(verdict: Verdict) -> Image | None:
        row = row_of(verdict.key)
        if verdict.verdict == "kept":
            name = worker.settings.spool / f"{verdict.key}.png"
            return shrink_to_fit(decode_image(name.read_bytes(), name=str(name)), size_px=_TILE_PX)
        shown = _shown(worker, row, photographs[row.photograph])
        return None if shown is None else shrink_to_fit(shown, size_px=_TILE_PX)

    sections = [
        _section(group, verdicts, row_of, picture)
        for group in _GROUPS
        if any(verdict.verdict == group.verdict for verdict in verdicts)
    ]
    sheet = contact_sheet(sections, columns=_COLUMNS, tile_px=_TILE_PX)
    atomic_write_bytes(path, encode_png(sheet))


def _section(
    group: _Group,
    verdicts: Sequence[Verdict],
    row_of: Callable[[str], Row],
    picture: Callable[[Verdict], Image | None],
) -> Section:
    members = [verdict for verdict in verdicts if verdict.verdict == group.verdict]
    shown = _ends(members, group.most)
    count = f"{len(members):,}" + (f", {len(shown)} shown" if shown != members else "")
    tiles = [
        _tile(verdict, row_of(verdict.key), picture(verdict), group.colour) for verdict in shown
    ]
    return Section(tiles, title=f"{group.title} ({count})")


def _ends(verdicts: list[Verdict], most: int) -> list[Verdict]:
    """The first and the last few."""
    if len(verdicts) <= most:
        return verdicts
    return verdicts[: most // 2] + verdicts[-most // 2 :]


def _tile(verdict: Verdict, row: Row, image: Image | None, colour: Colour) -> Tile:
    if verdict.verdict == "failed":
        note = row.category
    elif verdict.verdict == "duplicate":
        note = f"= {verdict.duplicate_of}"
    else:
        note = f"{row.score:.2f}"
    return Tile(image, caption=f"{verdict.key}\n{note}", border=colour)


def _shown(worker: Worker, row: Row, path: Path) -> Image | None:
    """The crop of a face that was not kept; for a failed photograph, the photograph if it opens."""
    if row.category in _NOT_OPENED:
        return None
    try:
        image = worker.decode(path)
    except DataError:
        return None
    return worker.render(image, row.landmark_array()) if row.landmarks else image
