"""What has to hold between the sets of one measurement, and what is told where it does not."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.imaging import pixel_library_versions
from pgan_toolkit.metrics.result import Result
from pgan_toolkit.storage import Place, locate
from pgan_toolkit.storage.encodings import loss_of
from pgan_toolkit.wording import counted

__all__ = [
    "about_sets",
    "equal_numbers",
    "naming",
    "pair_warnings",
    "require_distinct",
    "require_one_size",
    "require_several",
]


def require_distinct(paths: Sequence[Place]) -> None:
    """Refuse a set that is given twice.

    Raises
    ------
    UsageError
        Two paths lead to the same place.
    """
    seen: dict[Place, Place] = {}
    for path in paths:
        place = locate(path).resolve()
        if place in seen:
            also = "" if seen[place] == path else f" (as {seen[place]})"
            raise UsageError(f"{path}: given twice{also}; name each set once")
        seen[place] = path


def require_one_size(streams: Sequence[ImageStream]) -> None:
    """Refuse sets whose first pictures differ in size, before all others are read.

    Raises
    ------
    DataError
        Two of them differ; or a first picture cannot be read.
    """
    first = streams[0]
    for other in streams[1:]:
        if other.size != first.size:
            raise DataError(
                f"{other.path}: pictures of {_text(other.size)} pixels, where {first.path} has "
                f"{_text(first.size)}; crop or resize one set so that both have one size"
            )


def require_several(
    *streams: ImageStream, fewest: int = 2, why: str = "features are compared of"
) -> None:
    """Refuse a set of too few pictures, before all features of the others are extracted.

    Parameters
    ----------
    streams : ImageStream
        The sets.
    fewest : int
        How many pictures each must have.
    why : str
        What takes so many; the number is said after it.

    Raises
    ------
    DataError
        One of them has fewer.
    """
    for stream in streams:
        if len(stream) < fewest:
            raise DataError(
                f"{stream.path}: {counted(len(stream), 'image')}; {why} {fewest:,} or more; use "
                "more pictures"
            )


def equal_numbers(
    streams: Sequence[ImageStream],
) -> tuple[tuple[ImageStream, ...], tuple[str, ...]]:
    """Take the same number from each set, that of the smallest, and say what was left out."""
    count = min(map(len, streams))
    smallest = next(stream for stream in streams if len(stream) == count)
    warnings = tuple(
        f"{stream.path}: takes part with {count:,} of its {len(stream):,} images, as many as "
        f"{smallest.path} has"
        for stream in streams
        if len(stream) > count
    )
    return tuple(stream.take(count) for stream in streams), warnings


@contextmanager
def naming(*streams: ImageStream) -> Iterator[None]:
    """Name the sets in what a metric, which knows images alone, refuses about them.

    Raises
    ------
    DataError
        In place of the metric's own.
    """
    try:
        yield
    except DataError as error:
        paths = " and ".join(dict.fromkeys(stream.path for stream in streams))
        raise DataError(f"{paths}: {error}" if paths else str(error)) from error


def pair_warnings(real: ImageStream, fake: ImageStream) -> tuple[str, ...]:
    """Say what is wrong with comparing two sets that were read."""
    return (*_shared_pictures(real, fake), *_different_loss(real, fake))


def about_sets(result: Result, *streams: ImageStream) -> Result:
    """Return a result with what is to be known of its sets.

    That is: what is unusual about them, the seed that chose their images, and the versions of the
    libraries that decoded them.
    """
    warnings = [warning for stream in streams for warning in stream.warnings()]
    chosen = [stream for stream in streams if stream.is_drawn]
    if result.seed is None and chosen:
        result = replace(result, seed=chosen[0].settings.seed)
    versions = {**result.versions, **pixel_library_versions()}
    return replace(result, versions=versions).warned(*warnings)


def _shared_pictures(real: ImageStream, fake: ImageStream) -> list[str]:
    known = {identity.digest for identity in real.identities()}
    of_fake = [identity.digest for identity in fake.identities()]
    shared = sum(digest in known for digest in of_fake)
    if not shared:
        return []
    if shared == len(of_fake):
        what = "all its pictures are among the real ones, byte for byte"
    else:
        what = (
            f"{shared:,} of its {len(of_fake):,} pictures found among the real ones, byte for byte"
        )
    return [f"{fake.path}: {what}: the result says less of a generator, or nothing"]


def _different_loss(real: ImageStream, fake: ImageStream) -> list[str]:
    kinds = [
        {loss_of(name) for name in stream.encodings()} - {"unknown"} for stream in (real, fake)
    ]
    if not all(kinds) or kinds[0] == kinds[1]:
        return []
    said = [
        f"{stream.path} is {' and '.join(sorted(kind))} ({', '.join(stream.encodings())})"
        for stream, kind in zip((real, fake), kinds, strict=True)
    ]
    return [
        f"{said[0]}, {said[1]}: compression artifacts of one side alone count as a difference "
        "between them"
    ]


def _text(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"
