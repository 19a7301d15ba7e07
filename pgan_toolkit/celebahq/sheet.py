"""The contact sheet of a build: the best and the worst of what was kept, and what was not."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
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


class _Entry(NamedTuple):
    verdict: Verdict
    row: Row
    path: Path


def write_contact_sheet(
    path: Path,
    *,
    verdicts: Sequence[Verdict],
    row_of: Callable[[str], Row],
    photographs: Mapping[str, Path],
    worker: Worker,
    threads: int,
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
        Renders what was not kept; kept crops are read from its crops.
    threads : int
        Pictures that are made at once.
    """
    sections = []
    with ThreadPoolExecutor(threads) as pool:
        for group in _GROUPS:
            members = [verdict for verdict in verdicts if verdict.verdict == group.verdict]
            shown = _ends(members, group.most)
            rows = [row_of(verdict.key) for verdict in shown]
            entries = [
                _Entry(verdict, row, photographs[row.photograph])
                for verdict, row in zip(shown, rows, strict=True)
            ]
            pictures = pool.map(partial(_picture, worker), entries)
            tiles = [
                _tile(entry, image, group.colour)
                for entry, image in zip(entries, pictures, strict=True)
            ]
            count = f"{len(members):,}" + (f", {len(shown)} shown" if shown != members else "")
            if tiles:
                sections.append(Section(tiles, title=f"{group.title} ({count})"))
    sheet = contact_sheet(sections, columns=_COLUMNS, tile_px=_TILE_PX)
    atomic_write_bytes(path, encode_png(sheet))


def _ends(verdicts: list[Verdict], most: int) -> list[Verdict]:
    """The first and the last few."""
    if len(verdicts) <= most:
        return verdicts
    return verdicts[: most // 2] + verdicts[-most // 2 :]


def _tile(entry: _Entry, image: Image | None, colour: Colour) -> Tile:
    verdict, row, _ = entry
    if verdict.verdict == "failed":
        note = row.category
    elif verdict.verdict == "duplicate":
        note = f"= {verdict.duplicate_of}"
    else:
        note = f"{row.score:.2f}"
    return Tile(image, caption=f"{verdict.key}\n{note}", border=colour)


def _picture(worker: Worker, entry: _Entry) -> Image | None:
    """The crop of a face; for a failed photograph, the photograph if it opens."""
    verdict, row, path = entry
    if row.category in _NOT_OPENED:
        return None
    if verdict.verdict == "kept":
        crop = decode_image(worker.settings.crops.read(verdict.key), name=f"{verdict.key}.png")
        return shrink_to_fit(crop, size_px=_TILE_PX)
    try:
        image = worker.decode(path)
    except DataError:
        return None
    shown = worker.render(image, row.landmark_array()) if row.landmarks else image
    return shrink_to_fit(shown, size_px=_TILE_PX)
