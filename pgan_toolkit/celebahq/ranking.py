"""The quality of any pictures: files, folders of them, and datasets in any format."""

import csv
import io
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import NamedTuple

from pgan_toolkit.arrays import Image
from pgan_toolkit.celebahq.quality import QualityReport, measure_quality
from pgan_toolkit.engines import ordered_map
from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import decode_image, limit_threads, threads_kept
from pgan_toolkit.progress import Progress, ProgressMode
from pgan_toolkit.storage import PICTURE_EXTENSIONS, Place, StoredSource, open_source, read_file
from pgan_toolkit.storage.reading import MOST_PICTURE_BYTES
from pgan_toolkit.wording import spreadsheet_text

__all__ = ["Ranking", "ScoredPicture", "UnreadablePicture", "rank_pictures"]


@dataclass(frozen=True)
class ScoredPicture:
    """A picture and its quality: `name` says where it is, `quality` what was measured.

    Bytes of a name that are not UTF-8 are escaped, so that it can be printed and stored.
    """

    name: str
    quality: QualityReport


@dataclass(frozen=True)
class UnreadablePicture:
    """A picture that could not be scored, and why; the reason names it."""

    name: str
    reason: str


@dataclass(frozen=True)
class Ranking:
    """Pictures by quality, best first; those that could not be read are apart."""

    pictures: tuple[ScoredPicture, ...]
    unreadable: tuple[UnreadablePicture, ...]

    def to_csv(self) -> str:
        """Return rank, name, score and the score's components, a line each."""
        text = io.StringIO()
        names = ["rank", "name", *(field.name for field in fields(QualityReport))]
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        for rank, picture in enumerate(self.pictures):
            name = spreadsheet_text(picture.name)
            writer.writerow({"rank": rank, "name": name, **asdict(picture.quality)})
        return text.getvalue()


def rank_pictures(
    paths: Sequence[Place], *, workers: int = 1, mode: ProgressMode = "auto"
) -> Ranking:
    """Score pictures and order them, best first; equal scores by name.

    Parameters
    ----------
    paths : Sequence[Place]
        Picture files, folders and datasets.
    workers : int
        Processes.
    mode : "auto" or "quiet"
        Whether progress is shown.

    Raises
    ------
    DataError, UsageError
        A path is neither a picture nor a dataset. A picture that cannot be read is no error
        here: it is in the result.
    """
    sources = [None if _is_picture(path) else open_source(path) for path in paths]
    items = [
        _Item(place, number)
        for place, source in enumerate(sources)
        for number in range(1 if source is None else len(source))
    ]
    results = ordered_map(
        _measure,
        items,
        prepare=partial(_Reader, tuple(paths), tuple(sources)),
        on_lost=partial(_lost, tuple(paths)),
        workers=max(min(workers, len(items)), 1),
    )
    scored, unreadable = [], []
    with (
        threads_kept(),
        closing(results),  # stopped early, its processes end with it
        Progress(len(items), label="scoring", unit="picture", mode=mode) as bar,
    ):
        for result in results:
            if isinstance(result, ScoredPicture):
                scored.append(result)
            else:
                unreadable.append(result)
            bar.advance()
    scored.sort(key=lambda picture: (-picture.quality.score, picture.name))
    return Ranking(tuple(scored), tuple(unreadable))


class _Item(NamedTuple):
    source: int
    number: int


class _Reader:
    """The opened sources; a None among them is a picture by itself."""

    def __init__(self, paths: tuple[Place, ...], sources: tuple[StoredSource | None, ...]) -> None:
        limit_threads(1)
        self._paths, self._sources = paths, sources

    def name(self, item: _Item) -> str:
        source, path = self._sources[item.source], self._paths[item.source]
        return str(path) if source is None else f"{path}/{source.keys()[item.number]}"

    def read(self, item: _Item) -> Image:
        source, path = self._sources[item.source], self._paths[item.source]
        if source is None:
            return decode_image(read_file(path, most_bytes=MOST_PICTURE_BYTES), name=str(path))
        return source[item.number].image


def _measure(reader: _Reader, item: _Item) -> ScoredPicture | UnreadablePicture:
    name = _escaped(reader.name(item))
    try:
        return ScoredPicture(name, measure_quality(reader.read(item)))
    except (DataError, OSError) as error:
        reason = _escaped(str(error))
        return UnreadablePicture(name, reason if name in reason else f"{name}: {reason}")


def _lost(paths: tuple[Place, ...], item: _Item) -> UnreadablePicture:
    name = _escaped(f"{paths[item.source]} [{item.number}]")
    reason = "its worker died three times (out of memory, or a crash in a library)"
    return UnreadablePicture(name, f"{name}: {reason}")


def _escaped(text: str) -> str:
    return text if text.isascii() else os.fsencode(text).decode("utf-8", "backslashreplace")


def _is_picture(path: Place) -> bool:
    return path.suffix.lower() in PICTURE_EXTENSIONS and path.is_file()
