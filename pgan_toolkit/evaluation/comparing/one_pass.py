"""One pass over a set: every picture is decoded once and given to all that want it."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.evaluation.extractors import FeatureExtractor
from pgan_toolkit.evaluation.memory import enough_memory
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.accumulator import Statistics
from pgan_toolkit.metrics.features import FeatureSet

__all__ = ["ONLOOKER", "FeatureCollector", "Share", "feed_shares"]

ONLOOKER = "onlooker"
"""Name of the share that is no metric's."""


@dataclass(frozen=True, eq=False)
class Share:
    """What takes some of the pictures of a set.

    Attributes
    ----------
    name : str
        Of the metric, or `ONLOOKER`.
    fresh : callable or None
        Makes `statistics` anew, empty; picklable. None: they are this process's own, and no
        worker's.
    statistics : Statistics
        Knows each picture by its index in `part`, as it would if that were read alone.
    part : ImageStream
        Which pictures: a stream that `take` made of the one that is read, or that one itself.
    one_size : bool
        Whether it takes pictures of one size only.
    on_cpu : bool
        Whether it takes pictures where they were decoded, and not on the device.
    """

    name: str
    fresh: Callable[[], Statistics] | None
    statistics: Statistics
    part: ImageStream
    one_size: bool = True
    on_cpu: bool = False


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
        Name of each share that takes one size only, and was given up for a picture of its part that
        has another -> why. What else is read has no say in it.

    Raises
    ------
    DataError
        A picture cannot be read; a share that is required cannot take the pictures.
    """
    places = [_places(stream, share.part) for share in shares]
    left_out: dict[str, str] = {}
    with closing(stream.batches(sizes="any", label=label, positions=positions)) as batches:
        for batch in batches:
            with enough_memory(device):
                images = batch.images.to(device)
                for share, wanted in zip(shares, places, strict=True):
                    if share.name in left_out:
                        continue
                    seen = batch.images if share.on_cpu else images
                    if why := _give(share, wanted, seen, batch.first, required=required):
                        left_out[share.name] = why
    return left_out


def _places(stream: ImageStream, part: ImageStream) -> NDArray[np.int64] | None:
    """Positions in `stream` of the pictures of `part`, ascending; None: all."""
    if len(part) == len(stream):
        return None
    return np.searchsorted(np.asarray(stream.indices), np.asarray(part.indices))


def _give(
    share: Share,
    places: NDArray[np.int64] | None,
    images: Tensor,
    first: int,
    *,
    required: frozenset[str],
) -> str:
    """Give a share its pictures of a batch; say why it cannot take them, or ""."""
    if places is not None:
        start, stop = np.searchsorted(places, [first, first + len(images)]).tolist()
        if start == stop:
            return ""
        chosen = torch.from_numpy(places[start:stop] - first).to(images.device)
        images, first = images[chosen], start
    height, width = images.shape[2:]
    if share.one_size and (height, width) != share.part.size:
        if share.name in required:
            raise share.part.mixed(first, size=(height, width))
        return _given_up(share.part, size=(height, width))
    share.statistics.update(images, first=first)
    return ""


def _given_up(part: ImageStream, *, size: tuple[int, int]) -> str:
    return (
        f"{part.path}: pictures of {part.size[1]}x{part.size[0]} and of {size[1]}x{size[0]} "
        "pixels; it takes one size"
    )
