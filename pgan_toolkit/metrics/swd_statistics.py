"""Patches of one side of the sliced Wasserstein distance, from a stream of images."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.metrics.accumulator import next_range, take_ranges
from pgan_toolkit.metrics.descriptor_store import DescriptorStore, descriptor_moments
from pgan_toolkit.metrics.descriptors import Side, SwdSettings, cut_descriptors, swd_levels
from pgan_toolkit.metrics.images import as_images
from pgan_toolkit.metrics.threads import parallel_map

__all__ = ["SwdStatistics", "size_text"]

_PIXELS_AT_ONCE = {"cpu": 2**21, "cuda": 2**23}
"""What the pyramids work on at once: enough that threads do not wait for each other's Python, and
to keep a GPU busy."""
_FEWEST_PIXELS_AT_ONCE = 2**19
"""On the CPU, of a batch that would else give no thread two pieces."""
_IMAGES_A_PIECE = 32
"""Of what comes from a GPU, whose moments are summed here."""
_PIECES = 32
"""How many pieces of a batch the threads work on before the results are stored."""


class SwdStatistics:
    """Patches of one side, taken from a stream of images.

    Where an image's patches lie depends on the seed, the side and the image's index. One real side
    can be compared with many fake sets: all share its patches and the directions, so that
    differences between them are paired.

    Parameters
    ----------
    settings : SwdSettings | None
        None: the published protocol.
    side : {"real", "fake"}
        Each side has patch positions of its own.
    memory_gib : float
        Descriptors beyond that go to a temporary file without a name, in TMPDIR. One image takes
        37 KiB a level: 16,384 images of 1024x1024 take 4 GiB a side.
    """

    def __init__(
        self,
        settings: SwdSettings | None = None,
        *,
        side: Side = "real",
        memory_gib: float = 1.5,
    ) -> None:
        if side not in ("real", "fake"):
            raise UsageError(f"side={side!r}: expected 'real' or 'fake'")
        self.settings = settings or SwdSettings()
        self.side = side
        self.size: tuple[int, int] | None = None
        self.store = DescriptorStore(memory_gib=memory_gib)
        self._seen: list[range] = []

    def __len__(self) -> int:
        return len(self.store)

    def update(self, images: Tensor | NDArray[np.generic], *, first: int | None = None) -> None:
        """Take images (N, 3, H, W), as `as_images` does.

        `first` is the index of the first of them in the set; by default they follow those that
        this object has. Raises DataError for another size than before, or one that cannot be
        halved evenly; UsageError for an image that was taken before; SetupError for a full disk
        or GPU.
        """
        batch = as_images(images, name=self.side)
        if not len(batch):
            return
        self._require_size((batch.shape[-2], batch.shape[-1]))
        indices = next_range(self._seen, first=first, count=len(batch))
        on_cpu = batch.device.type == "cpu"
        take = self._take_on_cpu if on_cpu else self._take_on_gpu
        take(batch, indices)

    def update_from_descriptors(
        self, levels: Sequence[NDArray[np.int16]], *, indices: range, size: tuple[int, int]
    ) -> None:
        """Take patches that were cut before, by the same settings and side, and stored since.

        Parameters
        ----------
        levels : sequence of arrays
            As `cut_descriptors` gives them.
        indices : range
            Of the images in their set.
        size : (int, int)
            Height and width of the images.

        Raises
        ------
        DataError, UsageError, SetupError
            As `update`.
        """
        self._require_size(size)
        next_range(self._seen, first=indices.start, count=len(indices))
        self.store.add(indices, levels)

    def merge(self, other: "SwdStatistics") -> None:
        """Take over what another object has of the same set; no image twice."""
        if (other.settings, other.side) != (self.settings, self.side):
            raise UsageError(
                f"{other.side} patches of {other.settings} cannot be merged into {self.side} "
                f"patches of {self.settings}"
            )
        if other.size is None:
            return
        self._require_size(other.size)
        seen = list(self._seen)
        take_ranges(seen, other._seen)
        self.store.merge(other.store)
        self._seen = seen

    @property
    def levels(self) -> tuple[tuple[int, int], ...]:
        """(height, width) of each level; empty before the first image."""
        return swd_levels(*self.size, settings=self.settings) if self.size else ()

    def _require_size(self, size: tuple[int, int]) -> None:
        if self.size is None:
            swd_levels(*size, settings=self.settings)
            self.size = size
        if size != self.size:
            raise DataError(
                f"{self.side}: images of {size_text(size)} pixels after images of "
                f"{size_text(self.size)}; the SWD takes images of one size: resize or crop them"
            )

    def _take_on_cpu(self, batch: Tensor, indices: range) -> None:
        step = _images_at_once(batch)

        def cut(start: int) -> tuple[list[NDArray[np.int16]], NDArray[np.int64]]:
            levels = self._cut(batch, indices, slice(start, start + step))
            return levels, descriptor_moments(levels)

        starts = range(0, len(batch), step)
        for group in (starts[at : at + _PIECES] for at in range(0, len(starts), _PIECES)):
            found = parallel_map(cut, group)
            for start, (levels, moments) in zip(group, found, strict=True):
                self.store.add(indices[start : start + step], levels, moments=moments)

    def _take_on_gpu(self, batch: Tensor, indices: range) -> None:
        step = _images_at_once(batch)
        start = 0
        while start < len(batch):
            some = slice(start, start + step)
            try:
                levels = self._cut(batch, indices, some)
            except torch.OutOfMemoryError as error:
                if step == 1:
                    raise SetupError(
                        f"{batch.device}: not enough free memory for the levels of one image "
                        f"({error}); end other programs on it, or use --device cpu"
                    ) from error
                step //= 2
                continue
            self.store.add(indices[some], levels, moments=_moments(levels))
            start = some.stop

    def _cut(self, batch: Tensor, indices: range, some: slice) -> list[NDArray[np.int16]]:
        return cut_descriptors(batch[some], indices[some], side=self.side, settings=self.settings)


def _moments(levels: Sequence[NDArray[np.int16]]) -> NDArray[np.int64]:
    """What `descriptor_moments` gives, by as many threads as torch uses."""
    starts = range(0, len(levels[0]), _IMAGES_A_PIECE)
    parts = parallel_map(
        lambda start: descriptor_moments(
            [each[start : start + _IMAGES_A_PIECE] for each in levels]
        ),
        starts,
    )
    return np.concatenate(parts, axis=1)


def _images_at_once(batch: Tensor) -> int:
    on_cpu = batch.device.type == "cpu"
    image = batch.shape[-2] * batch.shape[-1]
    most = _PIXELS_AT_ONCE["cpu" if on_cpu else "cuda"] // image
    if on_cpu:
        shared_out = -(-len(batch) // (2 * torch.get_num_threads()))
        most = min(most, max(shared_out, _FEWEST_PIXELS_AT_ONCE // image))
    return max(most, 1)


def size_text(size: tuple[int, int]) -> str:
    """Return (height, width) as people write it: width x height."""
    return f"{size[1]}x{size[0]}"
