"""The protocol of what takes a stream of images and gives a result."""

from abc import abstractmethod
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.errors import UsageError
from pgan_toolkit.metrics.result import Result

__all__ = ["Accumulator", "Statistics", "next_range", "take_ranges"]


@runtime_checkable
class Statistics(Protocol):
    """What is kept of one side of a metric, real or fake.

    An image is known by its index in its set, so a set may come in any batches, in any order and
    split over several objects that are merged: what comes out is the same. It can be pickled.
    """

    @abstractmethod
    def update(self, images: Tensor | NDArray[np.generic], *, first: int | None = None) -> None:
        """Take images (N, 3, H, W), as `as_images` does.

        `first` is the index of the first of them in the set; by default they follow those that
        this object has. Raises DataError for images that it cannot take.
        """

    @abstractmethod
    def merge(self, other: Any) -> None:
        """Take over what another object of the same class has of the same set; no image twice."""


@runtime_checkable
class Accumulator(Statistics, Protocol):
    """`Statistics` that know all that the metric needs."""

    @abstractmethod
    def compute(self) -> Result:
        """Return the metric of the images so far, which stay."""


def next_range(seen: list[range], *, first: int | None, count: int) -> range:
    """Return the indices of a new batch, and add them to those seen, which stay sorted and joined.

    Parameters
    ----------
    seen : list of range
        Disjoint, ascending; changed in place.
    first : int | None
        Index of the first image; None: after the last one seen.
    count : int
        Images in the batch.

    Raises
    ------
    UsageError
        Some of the indices were seen before, or `first` is negative.
    """
    start = first if first is not None else (seen[-1].stop if seen else 0)
    new = range(start, start + count)
    if start < 0:
        raise UsageError(f"first={start}: expected 0 or more")
    if not count:
        return new
    if any(new.start < old.stop and old.start < new.stop for old in seen):
        raise UsageError(f"images {new.start} to {new.stop - 1}: some of them were taken before")
    joined: list[range] = []
    for item in sorted([*seen, new], key=lambda each: each.start):
        if joined and joined[-1].stop == item.start:
            joined[-1] = range(joined[-1].start, item.stop)
        else:
            joined.append(item)
    seen[:] = joined
    return new


def take_ranges(seen: list[range], others: list[range]) -> None:
    """Add the indices that another object has seen, all of them or, at an error, none.

    Parameters
    ----------
    seen : list of range
        Disjoint, ascending; changed in place.
    others : list of range
        Disjoint.

    Raises
    ------
    UsageError
        Some of the indices are in both.
    """
    joined = list(seen)
    for indices in others:
        next_range(joined, first=indices.start, count=len(indices))
    seen[:] = joined
