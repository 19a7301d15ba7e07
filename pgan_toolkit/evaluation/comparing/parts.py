"""Which pictures of each side a metric takes."""

from collections.abc import Mapping
from dataclasses import dataclass

from pgan_toolkit.evaluation.comparing.catalogue import METRICS
from pgan_toolkit.evaluation.extractors import FeatureExtractor
from pgan_toolkit.evaluation.protocol import equal_numbers
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.modes import MODES_IMAGES
from pgan_toolkit.metrics.result import Result

__all__ = ["Parts", "deviations", "error_groups", "images_wanted"]

_MOST_GROUPS = 10
_FEWEST_GROUPS = 3
_IMAGES_A_GROUP = 4


@dataclass(frozen=True, eq=False)
class Parts:
    """Two sets, and the pictures of them that each metric would take if it were measured alone.

    Attributes
    ----------
    real, fake : ImageStream
        All pictures that some metric takes.
    images : int | None
        Images a side at most; None: as many as the protocol of each metric takes.
    unequal : tuple of str
        What the SWD leaves out of a set that had more pictures before `taken_by`, in sentences.
    """

    real: ImageStream
    fake: ImageStream
    images: int | None
    unequal: tuple[str, ...] = ()

    def taken_by(self, metrics: tuple[str, ...]) -> "Parts":
        """Return the same parts of sets without the pictures that none of these metrics takes."""
        sets = {}
        for side, stream in (("real", self.real), ("fake", self.fake)):
            using = [name for name in metrics if side in METRICS[name].sides]
            counts = [len(self.of(side, name)) for name in using]
            sets[side] = stream.take(max(counts, default=len(stream)))
        unequal = self.swd()[1] if "swd" in metrics else ()
        return Parts(sets["real"], sets["fake"], self.images, unequal)

    def of(self, side: str, metric: str) -> ImageStream:
        """Return what a metric takes of "real" or "fake"; it knows what was read of these."""
        if metric == "swd":
            return self.swd()[0][("real", "fake").index(side)]
        stream = self.real if side == "real" else self.fake
        part = stream.take(self.images or METRICS[metric].images.get(side) or len(stream))
        return part.take(_whole_repeats(len(part))) if metric == "modes" else part

    def swd(self) -> tuple[tuple[ImageStream, ...], tuple[str, ...]]:
        """Return what the SWD takes of both, as many of each, and what was left out for that."""
        most = self.images or METRICS["swd"].images["real"]
        streams, unequal = equal_numbers([self.real.take(most), self.fake.take(most)])
        return streams, self.unequal or unequal


def images_wanted(metrics: tuple[str, ...], side: str, *, images: int | None) -> int | None:
    """Return how many pictures of a side have to be read for some metrics; None: all.

    Parameters
    ----------
    metrics : tuple of str
        The metrics.
    side : {"real", "fake"}
        The side.
    images : int | None
        How many are wanted of each side at most; None: as many as the protocols take.
    """
    using = [METRICS[name] for name in metrics if side in METRICS[name].sides]
    if images is not None or not using:
        return images
    if any(side not in kind.images for kind in using):
        return None
    return max(kind.images[side] for kind in using)


def deviations(
    result: Result, *, images: int | None, extractor: FeatureExtractor | None
) -> tuple[str, ...]:
    """Say how a result did not follow the protocol: that which was declared, or the published one.

    Parameters
    ----------
    result : Result
        Of a metric with its default settings.
    images : int | None
        The number of images that was declared, in place of the published ones; None: none was.
    extractor : FeatureExtractor | None
        What gave the features, if any.
    """
    found = _other_counts(result, images)
    if extractor is not None and METRICS[result.metric].needs == "inception":
        found += extractor.warnings
    return tuple(found)


def error_groups(images: int) -> int:
    """Into how many groups images are dealt out for a standard error over their choice; 0: none."""
    groups = min(_MOST_GROUPS, images // _IMAGES_A_GROUP)
    return groups if groups >= _FEWEST_GROUPS else 0


def _other_counts(result: Result, images: int | None) -> list[str]:
    kind, used = METRICS[result.metric], result.images
    if images is not None:
        declared = _whole_repeats(images) if result.metric == "modes" else images
        return _other_count(used, dict.fromkeys(kind.sides, declared))
    return _other_count(used, kind.images) + [
        f"{side}: {used[side]:,} images, where {count:,} or more are needed"
        for side, count in kind.least.items()
        if used[side] < count
    ]


def _other_count(used: Mapping[str, int], expected: Mapping[str, int]) -> list[str]:
    return [
        f"{side}: {used[side]:,} of {count:,} images"
        for side, count in expected.items()
        if used[side] != count
    ]


def _whole_repeats(images: int) -> int:
    """Images of as many whole repeats of the discrete modes as there are, or of what there is."""
    return images // MODES_IMAGES * MODES_IMAGES or images
