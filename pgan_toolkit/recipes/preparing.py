"""Writing the pictures of a recipe into a data set."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from pgan_toolkit.engines import ordered_map
from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import encode_png
from pgan_toolkit.recipes.pictures import Pictures
from pgan_toolkit.storage import ImageSink, Record

__all__ = ["Prepared", "prepare"]

_Made = Record | tuple[str, bytes, int | None] | DataError
"""A picture, one that is encoded (key, PNG file, label), or why there is none."""


@dataclass(frozen=True)
class Prepared:
    """What came of it.

    Attributes
    ----------
    count : int
        Pictures that were written.
    skipped : tuple of str
        What was wrong with those that were left out.
    """

    count: int
    skipped: tuple[str, ...]


def prepare(
    pictures: Pictures,
    sink: ImageSink,
    *,
    images: int | None = None,
    encode: bool = False,
    workers: int = 1,
    on_bad: Callable[[str], None] | None = None,
    advance: Callable[[], None] | None = None,
) -> Prepared:
    """Write pictures into a data set, in their order.

    Parameters
    ----------
    pictures : Pictures
        What a recipe makes of published files.
    sink : ImageSink
        Where to; it stays open.
    images : int | None
        How many to write, from the first on; None: all.
    encode : bool
        Encode as PNG in the workers: for sinks that store the bytes of PNG files.
    workers : int
        Processes. Any number gives the same bytes.
    on_bad : callable | None
        Takes what is wrong with a picture that cannot be read, which is then left out; None: such
        a picture stops the work.
    advance : callable | None
        Called after each picture.

    Raises
    ------
    DataError
        A picture is damaged and `on_bad` is None, or the sink's format cannot hold one.
    """
    count = len(pictures) if images is None else min(images, len(pictures))
    skipped = []
    with closing(_made(pictures, count, encode=encode, workers=workers)) as results:
        for result in results:
            if isinstance(result, DataError):
                if on_bad is None:
                    raise result
                on_bad(str(result))
                skipped.append(str(result))
            elif isinstance(result, Record):
                sink.write(result)
            else:
                sink.write_encoded(*result)
            if advance is not None:
                advance()
    return Prepared(count - len(skipped), tuple(skipped))


def _made(
    pictures: Pictures, count: int, *, encode: bool, workers: int
) -> Generator[_Made, None, None]:
    return ordered_map(
        _make_encoded if encode else _make,
        range(count),
        prepare=partial(_itself, pictures),
        on_lost=partial(_lost, pictures),
        workers=min(workers, max(count, 1)),
    )


def _itself(pictures: Pictures) -> Pictures:
    return pictures


def _make(pictures: Pictures, index: int) -> _Made:
    try:
        return pictures[index]
    except DataError as error:
        return error


def _make_encoded(pictures: Pictures, index: int) -> _Made:
    made = _make(pictures, index)
    if isinstance(made, Record):
        return made.key, encode_png(made.image), made.label
    return made


def _lost(pictures: Pictures, index: int) -> _Made:
    return DataError(f"{pictures.keys()[index]}: the process that decoded it died, twice")
