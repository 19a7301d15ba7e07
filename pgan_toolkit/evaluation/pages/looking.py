"""Pictures of both sides looked at for a page while an evaluation reads them, and not again."""

from dataclasses import fields
from functools import cached_property
from typing import Literal

from pgan_toolkit.arrays import Image
from pgan_toolkit.evaluation.cache import Entry, StatisticsCache, cache_key
from pgan_toolkit.evaluation.comparing.one_pass import ONLOOKER, Share
from pgan_toolkit.evaluation.feeding import feed
from pgan_toolkit.evaluation.pages.findings import Finding, find_differences
from pgan_toolkit.evaluation.pages.likeness import Likeness, compare_likeness
from pgan_toolkit.evaluation.pages.side import Side, SideStatistics, page_sample
from pgan_toolkit.evaluation.streams import ImageStream

__all__ = ["PageLook", "View", "look_at"]

_VERSION = 3  # counts up whenever a `Side` means something else


class View:
    """What a page shows of one set: numbers of each picture, and the pictures.

    Parameters
    ----------
    stream : ImageStream
        The pictures, which a page knows by their places in it.

    Attributes
    ----------
    stream : ImageStream
    statistics : SideStatistics
        To be shown the pictures.
    """

    def __init__(self, stream: ImageStream) -> None:
        self.stream = stream
        self.statistics = SideStatistics()
        self._recalled: Side | None = None

    def __len__(self) -> int:
        return len(self.stream)

    @property
    def path(self) -> str:
        """Where the set is, as messages name it."""
        return self.stream.path

    @cached_property
    def side(self) -> Side:
        """The numbers of what was seen."""
        return self.statistics.compute() if self._recalled is None else self._recalled

    def key(self, place: int) -> str:
        """Return what a picture is called in its set."""
        return self.stream.key(place)

    def picture(self, place: int) -> Image:
        """Return a picture, shrunk where it is larger than pages show them.

        It is decoded now only where its numbers are known from an earlier evaluation.
        """
        kept = self.statistics.pictures.get(place)
        return self.stream.image(place) if kept is None else kept

    def recall(self, cache: StatisticsCache) -> bool:
        """Take the numbers of the very same pictures from the cache; say whether they were there.

        Raises
        ------
        DataError
            A picture cannot be read.
        """
        if cache.knows(self.stream.probe()):
            self._recalled = cache.load(self._cache_key(), _restored)
        return self._recalled is not None

    def keep(self, cache: StatisticsCache) -> None:
        """Keep the numbers for `recall`, of pictures that were read just now."""
        arrays = [(field.name, getattr(self.side, field.name)) for field in fields(Side)]
        size = sum(array.nbytes for _, array in arrays)
        cache.store(self._cache_key(), arrays, {}, size_bytes=size)

    def _cache_key(self) -> str:
        parts = {"statistics": "page", "version": _VERSION, "pictures": self.stream.digests()}
        return cache_key(parts, probe=self.stream.probe())


class PageLook:
    """Looks at both sides for a page; an `Onlooker` of `EvaluationSettings`.

    It looks at as many pictures of both: 2,048, fewer of large ones (128 of 1024x1024).

    Attributes
    ----------
    real, fake : View
        What was seen, once an evaluation was made.
    """

    real: View
    fake: View

    def __init__(self) -> None:
        self._likeness: Likeness | None = None

    @property
    def sides(self) -> tuple[Side, Side]:
        """The numbers of both sides."""
        return self.real.side, self.fake.side

    @property
    def likeness(self) -> Likeness | None:
        """How the pictures lie to each other; None where there are too few."""
        if self._likeness is None:
            self._likeness = compare_likeness(*self.sides)
        return self._likeness

    @property
    def differences(self) -> tuple[Finding, ...] | None:
        """What is wrong with the fake pictures; None where there are too few to say."""
        return find_differences(*self.sides, self.likeness)

    def findings(self) -> tuple[str, ...] | None:
        """Return what is wrong, and the numbers that it stands on, in sentences."""
        found = self.differences
        return None if found is None else tuple(f"{each.text} {each.evidence}" for each in found)

    def begin(self, real: ImageStream, fake: ImageStream) -> None:
        """Choose the pictures of two sets that are about to be read; forget those before."""
        self.real, self.fake = map(View, page_sample(real, fake))
        self._likeness = None

    def share(self, side: Literal["real", "fake"]) -> Share:
        """Return what takes the pictures of a side."""
        view = self.real if side == "real" else self.fake
        return Share(ONLOOKER, None, view.statistics, view.stream, one_size=False, on_cpu=True)

    def recall(self, cache: StatisticsCache) -> bool:
        """Take what is to be known of the real side from the cache; say whether it was there."""
        return self.real.recall(cache)

    def keep(self, cache: StatisticsCache) -> None:
        """Keep what was seen of the real side."""
        self.real.keep(cache)


def look_at(real: ImageStream, fake: ImageStream) -> PageLook:
    """Read two sets for the page of a report that was made before.

    Raises
    ------
    DataError
        A picture cannot be read.
    """
    look = PageLook()
    look.begin(real, fake)
    for view, label in ((look.real, "page: real"), (look.fake, "page: fake")):
        feed(view.stream, view.statistics, sizes="any", label=label)
    return look


def _restored(entry: Entry) -> Side:
    return Side(**{field.name: entry.arrays[field.name] for field in fields(Side)})
