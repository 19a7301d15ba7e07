"""What a data set holds, told from file headers without decoding pixels."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.base import StoredSource
from pgan_toolkit.storage.encodings import loss_of

__all__ = ["Inspection", "inspect"]

_FIRST_KEYS = 5


@dataclass(frozen=True)
class Inspection:
    """What a data set holds.

    Attributes
    ----------
    path, format : str
        Where it is, and the name of its format.
    count : int
        Number of pictures.
    sizes : mapping of str to int
        "1024x1024" (width x height, before any EXIF rotation) -> pictures, most frequent first.
    encodings, losses : mapping of str to int
        "PNG" -> pictures, and "lossy", "lossless" or "unknown" -> pictures.
    stored_bytes : int
        Bytes that the pictures take.
    labels : mapping of int to int
        Class index -> pictures, by class. Empty without labels.
    unlabelled : int
        Pictures without a label.
    ignored : tuple of str
        Files that are no pictures.
    unreadable : tuple of str
        One message per picture whose header is damaged.
    first_keys : tuple of str
        The first five keys.
    """

    path: str
    format: str
    count: int
    sizes: Mapping[str, int]
    encodings: Mapping[str, int]
    losses: Mapping[str, int]
    stored_bytes: int
    labels: Mapping[int, int]
    unlabelled: int
    ignored: tuple[str, ...]
    unreadable: tuple[str, ...]
    first_keys: tuple[str, ...]


def inspect(source: StoredSource, *, advance: Callable[[], None] | None = None) -> Inspection:
    """Read the header of every picture.

    Parameters
    ----------
    source : StoredSource
        The data set.
    advance : callable | None
        Called after each picture.
    """
    sizes: Counter[str] = Counter()
    encodings: Counter[str] = Counter()
    unreadable = []
    stored_bytes = 0
    for index in range(len(source)):
        try:
            info = source.info(index)
        except DataError as error:
            unreadable.append(str(error))
        else:
            sizes[f"{info.width}x{info.height}"] += 1
            encodings[info.encoding] += 1
            stored_bytes += info.stored_bytes
        if advance is not None:
            advance()
    losses: Counter[str] = Counter()
    for encoding, count in encodings.items():
        losses[loss_of(encoding)] += count
    labels = Counter(label for label in source.labels() if label is not None)
    return Inspection(
        path=str(source.path),
        format=source.format,
        count=len(source),
        sizes=dict(sizes.most_common()),
        encodings=dict(encodings.most_common()),
        losses=dict(losses.most_common()),
        stored_bytes=stored_bytes,
        labels=dict(sorted(labels.items())),
        unlabelled=len(source) - labels.total(),
        ignored=source.ignored,
        unreadable=tuple(unreadable),
        first_keys=tuple(source.keys()[:_FIRST_KEYS]),
    )
