"""What a page shows of one side: brightness, colours, spectrum, block borders, small versions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.arrays import Image
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.imaging import RING_COUNT, luma, power_spectrum, ring_spectrum, shrink_to_fit
from pgan_toolkit.metrics.accumulator import next_range, take_ranges
from pgan_toolkit.metrics.images import as_images
from pgan_toolkit.pages import LONGEST_PX

__all__ = ["BLOCK_PX", "SMALL_PX", "Side", "SideStatistics", "page_sample"]

SMALL_PX = 16
"""Side of the small versions whose distances tell which pictures are alike."""
BLOCK_PX = 8
"""Side of the blocks of JPEG."""

_MOST_PICTURES = 2048
_FEWEST_PICTURES = 64
_MOST_PIXELS = 2**27  # 128 pictures of 1024x1024
_HISTOGRAM_PX = 256  # pixels of a side, at least, that the histogram takes


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a comparison, picture by picture where nothing else is said.

    Attributes
    ----------
    colours : float64 (N, 3)
        Mean of each channel, 0..255.
    brightness, contrast, saturation : float64 (N,)
        Mean and standard deviation of the luma, and mean distance of the largest from the smallest
        channel, 0..255.
    power : float64 (N, RING_COUNT)
        Of the luma in each ring of frequencies, as `ring_spectrum`; NaN where there is none.
    histogram : int64 (3, 256)
        Pixels of all pictures by channel and level; of large ones every second, third, ... of both
        directions.
    jumps : float64 (N, 2, BLOCK_PX)
        Mean difference of neighbouring pixels across each column and row border, by the border's
        place modulo 8; NaN where there is none.
    small : float32 (N, 3 * SMALL_PX**2)
        The picture as 16x16 means, 0..255.
    side_px : float64 (N,)
        Root of the area, pixels: frequencies are a pixel's, so that they mean the same in pictures
        of one size alone.
    """

    colours: Float64[np.ndarray, "n 3"]
    brightness: Float64[np.ndarray, " n"]
    contrast: Float64[np.ndarray, " n"]
    saturation: Float64[np.ndarray, " n"]
    power: Float64[np.ndarray, "n rings"]
    histogram: Int64[np.ndarray, "3 256"]
    jumps: Float64[np.ndarray, "n 2 8"]
    small: Float32[np.ndarray, "n small"]
    side_px: Float64[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.brightness)

    def steps(self) -> Float64[np.ndarray, "known 2 8"]:
        """Return `jumps` over their mean in the picture and direction: 1 where all are alike.

        So every picture counts the same, whatever its contrast. Those without a border at each
        place, or without any step, are left out.
        """
        means = self.jumps.mean(axis=2, keepdims=True)
        known = (means > 0).all(axis=(1, 2))  # which NaN is not
        return np.asarray(self.jumps[known] / means[known])


class SideStatistics:
    """Looks at pictures for a page; a `Statistics`, so that it can share a pass with metrics.

    Memory: 3.4 kB a picture, and the picture: 225 MB in all for 2,048 of 192x192 or more.

    Attributes
    ----------
    pictures : dict of int to Image
        Index -> the picture, shrunk where it is larger than pages show them.
    """

    def __init__(self) -> None:
        self.pictures: dict[int, Image] = {}
        self._seen: list[range] = []
        self._parts: dict[int, Mapping[str, NDArray[np.generic]]] = {}
        self._histogram = np.zeros((3, 256), np.int64)

    def update(self, images: Tensor | NDArray[np.generic], *, first: int | None = None) -> None:
        """Take images (N, 3, H, W), as `as_images` does; `first` is the index of the first."""
        batch = as_images(images).cpu()
        new = next_range(self._seen, first=first, count=len(batch))
        if not len(batch):
            return
        shown: Sequence[Image] = list(batch.permute(0, 2, 3, 1).contiguous().numpy())
        for place, image in zip(new, shown, strict=True):
            self.pictures[place] = shrink_to_fit(image, size_px=LONGEST_PX)
        values = batch.float()
        self._parts[new.start] = _part(batch, values, shown)
        step = max(min(batch.shape[2:]) // _HISTOGRAM_PX, 1)
        for channel in range(3):
            levels = batch[:, channel, ::step, ::step].reshape(-1).numpy()
            self._histogram[channel] += np.bincount(levels, minlength=256)

    def merge(self, other: "SideStatistics") -> None:
        """Take over what another object has seen of the same set; no picture twice."""
        take_ranges(self._seen, other._seen)
        self.pictures |= other.pictures
        self._parts |= other._parts
        self._histogram += other._histogram

    def compute(self) -> Side:
        """Return what was seen, in the order of the indices."""
        none = torch.empty((0, 3, SMALL_PX, SMALL_PX), dtype=torch.uint8)
        parts = [self._parts[first] for first in sorted(self._parts)] or [
            _part(none, none.float(), [])
        ]
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return Side(**joined, histogram=self._histogram.copy())


def page_sample(*streams: ImageStream) -> tuple[ImageStream, ...]:
    """Return as many pictures of each set as a page looks at: the same number of all.

    2,048 at most, fewer of large pictures (128 of 1024x1024), as many as the smallest set has.
    """
    largest = max(height * width for height, width in (stream.size for stream in streams))
    wanted = max(min(_MOST_PICTURES, _MOST_PIXELS // largest), _FEWEST_PICTURES)
    count = min(wanted, *map(len, streams))
    return tuple(stream.take(count) for stream in streams)


def _part(
    batch: Tensor, values: Tensor, pictures: Sequence[Image]
) -> Mapping[str, NDArray[np.generic]]:
    small = torch.nn.functional.adaptive_avg_pool2d(values, SMALL_PX)
    planes = [luma(picture) for picture in pictures]
    return {
        "colours": values.mean(dim=(2, 3)).double().numpy(),
        "brightness": np.array([plane.mean(dtype=np.float64) for plane in planes]),
        "contrast": np.array([plane.std(dtype=np.float64) for plane in planes]),
        "saturation": (batch.amax(1) - batch.amin(1)).float().mean(dim=(1, 2)).double().numpy(),
        "power": np.array([_rings(plane) for plane in planes]).reshape(-1, RING_COUNT),
        "jumps": np.stack([_jumps(values, axis=axis) for axis in range(2)], axis=1),
        "small": small.flatten(1).numpy(),
        "side_px": np.full(len(batch), math.sqrt(batch.shape[2] * batch.shape[3])),
    }


def _rings(plane: NDArray[np.float32]) -> NDArray[np.float64]:
    power, _ = power_spectrum(plane)
    return ring_spectrum(power, width=plane.shape[1]).mean


def _jumps(images: Tensor, *, axis: int) -> NDArray[np.float64]:
    """Means (N, 8) of |differences| over column (0) or row (1) borders, by place modulo 8."""
    values = images.transpose(2, 3) if axis else images
    steps = (values[..., 1:] - values[..., :-1]).abs_()
    # Whole numbers, whose sum over one column float32 holds exactly.
    by_border = steps.sum(dim=2).double().sum(dim=1).numpy()
    at_place = np.arange(1, values.shape[-1])[:, None] % BLOCK_PX == np.arange(BLOCK_PX)
    counts = at_place.sum(axis=0) * values.shape[1] * values.shape[2]
    means = np.full((len(by_border), BLOCK_PX), np.nan)
    np.divide(by_border @ at_place, counts, out=means, where=counts > 0)
    return means
