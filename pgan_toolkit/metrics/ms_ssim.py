"""Multi-scale structural similarity between the images of one set: how alike its pictures are.

Wang, Simoncelli and Bovik, "Multi-scale structural similarity for image quality assessment" (2003),
taken between consecutive images of a set as Odena, Olah and Shlens (2017) do to measure variety: a
lower number means more varied pictures. It says nothing of how good they are.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.devices import whole_float32
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics.accumulator import next_range, take_ranges
from pgan_toolkit.metrics.images import as_images
from pgan_toolkit.metrics.result import Result
from pgan_toolkit.metrics.structural_similarity import (
    Convention,
    check_size,
    pairs_together,
    similarities,
)
from pgan_toolkit.metrics.threads import parallel_map
from pgan_toolkit.wording import counted

__all__ = ["MsSsim", "ms_ssim", "ms_ssim_of_pairs"]

PROTOCOL_IMAGES = 20_000
"""10,000 pairs, as the paper takes."""

CONVENTIONS: dict[Convention, str] = {
    "paper": (
        "MS-SSIM of consecutive pairs; terms averaged over the channels, then clipped at 0; the "
        "Gaussian window shrinks with scales below 11 px (Karras et al. 2018)"
    ),
    "standard": (
        "MS-SSIM of consecutive pairs; terms clipped at 0 and multiplied for each channel, then "
        "averaged (pytorch-msssim)"
    ),
}


def ms_ssim(images: Tensor | NDArray[np.generic], *, convention: Convention = "paper") -> Result:
    """Return the mean MS-SSIM of the pairs (0, 1), (2, 3), ... of one set.

    Parameters
    ----------
    images : tensor or array (N, 3, H, W), RGB
        As `as_images` takes them, in an order that has nothing to do with their likeness.
    convention : {"paper", "standard"}
        As `ms_ssim_of_pairs`.

    Returns
    -------
    Result
        Metric "ms-ssim"; its standard error is over the pairs.

    Raises
    ------
    DataError
        Fewer than two images, or images that are too small.
    """
    accumulator = MsSsim(convention=convention)
    accumulator.update(images)
    return accumulator.compute()


def ms_ssim_of_pairs(
    a: Tensor | NDArray[np.generic],
    b: Tensor | NDArray[np.generic],
    *,
    convention: Convention = "paper",
) -> NDArray[np.float64]:
    """Return the MS-SSIM of each image of `a` with the image of `b` at the same place.

    Five scales, weights .0448 .2856 .3001 .2363 .1333 as published (their sum is 1.0001), K1 = .01,
    K2 = .03, an 11x11 Gaussian of sigma 1.5 where it fits entirely, 2x2 means between the scales.

    "paper" is what Karras et al. (2018) report: the terms are averaged over pixels and channels,
    clipped at 0 and multiplied; at a scale whose shorter side is below 11 pixels the window takes
    that size and sigma shrinks with it. Where a side is odd the last row or column counts twice in
    the 2x2 means; the sizes of the paper never are.

    "standard" is what the package pytorch-msssim computes: the terms of each channel are clipped
    and multiplied, and the products averaged; an odd side is padded with a zero on the left.

    Parameters
    ----------
    a, b : tensor or array (N, 3, H, W), RGB
        As `as_images` takes them.
    convention : {"paper", "standard"}
        "paper" from 16 pixels up, "standard" from 161.

    Returns
    -------
    array float64 (N,)
        Within 0..1, computed in float32 with an error below 1e-5; of pictures of nothing but flat
        black and white areas, which are the worst for it, below 2e-5.

    Raises
    ------
    DataError
        Shapes that differ, or images that are too small.
    """
    first, second = as_images(a, name="a"), as_images(b, name="b")
    if first.shape != second.shape:
        raise DataError(
            f"pairs: {tuple(first.shape)} against {tuple(second.shape)}; expected equal shapes"
        )
    _check_convention(convention)
    height, width = first.shape[2:]
    check_size(height, width, convention=convention)
    step = pairs_together(height, width)
    starts = range(0, len(first), step)
    if not starts:
        return np.zeros(0)
    pairs = [(first[start : start + step], second[start : start + step]) for start in starts]
    return np.concatenate(_computed(pairs, convention))


class MsSsim:
    """MS-SSIM of the consecutive pairs of one set that comes as a stream; an `Accumulator`.

    Pairs are computed in groups that their index decides, so that neither batches nor merging can
    move the last bit. Images whose group is not complete are kept: fewer than 128 for each gap.

    Parameters
    ----------
    convention : {"paper", "standard"}
        As `ms_ssim_of_pairs`.
    """

    def __init__(self, *, convention: Convention = "paper") -> None:
        _check_convention(convention)
        self.convention: Convention = convention
        self._size: tuple[int, int] | None = None
        self._group_size = 0
        self._seen: list[range] = []
        self._waiting: dict[int, dict[int, Tensor]] = {}
        self._values: dict[int, NDArray[np.float64]] = {}

    def update(self, images: Tensor | NDArray[np.generic], *, first: int | None = None) -> None:
        """Take images (N, 3, H, W), all of one size; `first` is the index of the first of them.

        Raises DataError for images of another size or too small a one.
        """
        batch = as_images(images)
        if not len(batch):
            return
        height, width = batch.shape[2:]
        self._take_size((height, width))
        indices = next_range(self._seen, first=first, count=len(batch))
        complete = {}
        for start in _group_starts(indices, self._group_size):
            stop = (start // self._group_size + 1) * self._group_size
            part = batch[start - indices.start : stop - indices.start]
            if len(part) == self._group_size:
                complete[start // self._group_size] = part
            else:
                self._keep(start, part)
        if complete:
            self._evaluate(complete)

    def merge(self, other: "MsSsim") -> None:
        """Take over what another object has of the same set.

        Raises UsageError if it follows another convention or has an image that this one has, and
        DataError if its images have another size.
        """
        if other.convention != self.convention:
            raise UsageError(f"MS-SSIM {self.convention} cannot take over {other.convention}")
        if other._size is None:
            return
        self._take_size(other._size)
        take_ranges(self._seen, other._seen)
        self._values.update(other._values)
        for images in other._waiting.values():
            for index, image in images.items():
                self._keep(index, image[None])

    def compute(self) -> Result:
        """Return the mean over the pairs that are complete.

        Raises DataError where there is none.
        """
        values = self.pair_values()
        images = sum(map(len, self._seen))
        if not len(values):
            raise DataError(
                f"MS-SSIM: {counted(images, 'image')}, no two that follow each other; expected 2"
            )
        error = float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None
        return Result(
            metric="ms-ssim",
            value=math.fsum(values) / len(values),
            images={"fake": images},
            convention=CONVENTIONS[self.convention],
            standard_error=error,
            uncertainty=f"{len(values):,} pairs" if error is not None else "",
            warnings=self._warnings(images, alone=images - 2 * len(values)),
        )

    def pair_values(self) -> NDArray[np.float64]:
        """Return the MS-SSIM of every complete pair, float64 (pairs,), by index."""
        values = dict(self._values)
        for group, images in self._waiting.items():
            values[group] = self._incomplete(images)
        return np.concatenate([np.zeros(0), *(values[group] for group in sorted(values))])

    def _evaluate(self, groups: dict[int, Tensor]) -> None:
        """Compute groups all of whose images are there."""
        self._values.update(zip(groups, self._similarities(list(groups.values())), strict=True))

    def _similarities(self, groups: list[Tensor]) -> list[NDArray[np.float64]]:
        return _computed([(images[0::2], images[1::2]) for images in groups], self.convention)

    def _incomplete(self, images: dict[int, Tensor]) -> NDArray[np.float64]:
        """The pairs of a group that are there, each computed in its own place."""
        start = min(images) // self._group_size * self._group_size
        places = range(start, start + self._group_size)
        blank = torch.zeros_like(next(iter(images.values())))
        whole = _stacked([images.get(place, blank) for place in places])
        there = [place in images and place + 1 in images for place in places[::2]]
        (values,) = self._similarities([whole])
        return values[there]

    def _keep(self, start: int, images: Tensor) -> None:
        """Keep images of one group, `start` the index of the first, until all are there."""
        group = start // self._group_size
        waiting = self._waiting.setdefault(group, {})
        waiting.update({start + k: image.clone() for k, image in enumerate(images)})
        if len(waiting) == self._group_size:
            self._evaluate({group: _stacked([waiting[index] for index in sorted(waiting)])})
            del self._waiting[group]

    def _take_size(self, size: tuple[int, int]) -> None:
        if self._size is None:
            check_size(*size, convention=self.convention)
            self._size, self._group_size = size, 2 * pairs_together(*size)
        elif size != self._size:
            raise DataError(
                f"MS-SSIM: an image of {size[1]}x{size[0]} among images of {self._size[1]}x"
                f"{self._size[0]}; expected one size: resize them"
            )

    def _warnings(self, images: int, *, alone: int) -> tuple[str, ...]:
        found = []
        if images != PROTOCOL_IMAGES:
            found.append(f"{counted(images, 'image')}: the protocol takes {PROTOCOL_IMAGES:,}")
        if alone:
            found.append(f"{counted(alone, 'image')} left out for want of a partner")
        return tuple(found)


def _computed(
    groups: list[tuple[Tensor, Tensor]], convention: Convention
) -> list[NDArray[np.float64]]:
    """The MS-SSIM of groups of pairs: by threads, or on a GPU one after the other."""
    with whole_float32():
        if any(x.device.type != "cpu" for x, _ in groups):
            return [similarities(*group, convention) for group in groups]
        return parallel_map(lambda group: similarities(*group, convention), groups)


def _stacked(images: list[Tensor]) -> Tensor:
    """Join images, which may come from several GPUs, on the device of the first."""
    return torch.stack([image.to(images[0].device) for image in images])


def _group_starts(indices: range, size: int) -> list[int]:
    """Where the parts of a batch begin that belong to one group each."""
    return [indices.start, *range((indices.start // size + 1) * size, indices.stop, size)]


def _check_convention(convention: str) -> None:
    if convention not in CONVENTIONS:
        raise UsageError(f"convention {convention!r}: expected one of {', '.join(CONVENTIONS)}")
