"""One pass over a set: every picture is decoded once and given to all that want it."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.evaluation.extractors import FeatureExtractor
from pgan_toolkit.evaluation.memory import enough_memory
from pgan_toolkit.evaluation.streams import Batch, ImageStream
from pgan_toolkit.metrics.accumulator import Statistics
from pgan_toolkit.metrics.features import FeatureSet

__all__ = ["FeatureCollector", "Share", "feed_shares", "is_strict"]


@dataclass(frozen=True, eq=False)
class Share:
    """What takes some of the pictures of a set.

    Attributes
    ----------
    name : str
        Of the metric.
    fresh : callable
        Makes `statistics` anew, empty; picklable.
    statistics : Statistics
        Knows each picture by its index in `part`, as it would if that were read alone.
    part : ImageStream
        Which pictures: a stream that `take` made of the one that is read, or that one itself.
    one_size : bool
        Whether it takes pictures of one size only.
    """

    name: str
    fresh: Callable[[], Statistics]
    statistics: Statistics
    part: ImageStream
    one_size: bool = True


class FeatureCollector:
    """Extracts the features of the pictures that it is given; a `Statistics`.

    Parameters
    ----------
    extractor : FeatureExtractor
        Gives them.
    logits : bool
        Whether the logits are kept too.
    """

    def __init__(self, extractor: FeatureExtractor, *, logits: bool = False) -> None:
        self.collected = FeatureSet()
        self._extractor = extractor
        self._logits = logits

    def update(self, images: Tensor | NDArray[np.generic], *, first: int | None = None) -> None:
        """Take images (N, 3, H, W), as `FeatureExtractor.features` does."""
        if not self._logits:
            self.collected.update(self._extractor.features(images), first=first)
            return
        features, logits = self._extractor.features_and_logits(images)
        self.collected.update(features, first=first, logits=logits)

    def merge(self, other: "FeatureCollector | FeatureSet") -> None:
        """Take over the features of another object; no image twice."""
        self.collected.merge(other if isinstance(other, FeatureSet) else other.collected)


def feed_shares(
    stream: ImageStream,
    shares: Sequence[Share],
    *,
    required: frozenset[str] = frozenset(),
    label: str = "reading",
    device: torch.device | str = "cpu",
    positions: range | None = None,
) -> dict[str, str]:
    """Read a set once and give every share its pictures, on the device.

    The pictures are decoded by threads, four batches ahead of what is computed.

    Parameters
    ----------
    stream : ImageStream
        What is read.
    shares : sequence of Share
        What takes its pictures.
    required : frozenset of str
        Names of shares that must not be left out.
    label : str
        What the progress bar calls the work.
    device : torch.device | str
        Where the shares compute.
    positions : range | None
        Which pictures of the stream; None: all.

    Returns
    -------
    dict of str to str
        Name of each share that takes one size only, and was given up -> why.

    Raises
    ------
    DataError
        A picture cannot be read; a share that is required cannot take the pictures.
    """
    sizes: Literal["one", "any"] = "one" if is_strict(shares, required) else "any"
    places = [_places(stream, share.part) for share in shares]
    left_out: dict[str, str] = {}
    with closing(stream.batches(sizes=sizes, label=label, positions=positions)) as batches:
        for batch in batches:
            height, width = batch.images.shape[2:]
            if (height, width) != stream.size:
                left_out = left_out or _given_up(shares, stream, size=(height, width))
            with enough_memory(device):
                images = batch.images.to(device)
                for share, wanted in zip(shares, places, strict=True):
                    if share.name not in left_out:
                        _give(share, wanted, images, batch)
    return left_out


def is_strict(shares: Sequence[Share], required: frozenset[str]) -> bool:
    """Whether several sizes are an error: no share could go on, or one must not stop."""
    one_size = [share for share in shares if share.one_size]
    return len(one_size) == len(shares) or any(share.name in required for share in one_size)


def _places(stream: ImageStream, part: ImageStream) -> NDArray[np.int64] | None:
    """Positions in `stream` of the pictures of `part`, ascending; None: all."""
    if len(part) == len(stream):
        return None
    return np.searchsorted(np.asarray(stream.indices), np.asarray(part.indices))


def _give(share: Share, places: NDArray[np.int64] | None, images: Tensor, batch: Batch) -> None:
    if places is None:
        share.statistics.update(images, first=batch.first)
        return
    start, stop = np.searchsorted(places, [batch.first, batch.first + len(images)]).tolist()
    if start == stop:
        return
    chosen = torch.from_numpy(places[start:stop] - batch.first).to(images.device)
    share.statistics.update(images[chosen], first=start)


def _given_up(
    shares: Sequence[Share], stream: ImageStream, *, size: tuple[int, int]
) -> dict[str, str]:
    why = (
        f"{stream.path}: pictures of {stream.size[1]}x{stream.size[0]} and of "
        f"{size[1]}x{size[0]} pixels; it takes one size"
    )
    return {share.name: why for share in shares if share.one_size}
