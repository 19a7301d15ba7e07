"""What a recipe makes of published files: pictures, one at a time, in a known order."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import final

import numpy as np
from jaxtyping import UInt8

from pgan_toolkit.arrays import Image
from pgan_toolkit.storage import Record, StoredSource
from pgan_toolkit.storage.keys import numbered_key

__all__ = ["ArrayPictures", "Pictures", "Render", "StoredPictures"]

Render = Callable[[Image, str], Image]
"""Makes a recipe's picture of a stored one; the text is what an error calls it. Picklable."""


class Pictures(ABC):
    """An `ImageSource` of pictures that are ready to train on; picklable.

    Attributes
    ----------
    size_px : int
        Side of every picture.
    checked : str
        What the published files were compared by, for a person to read.
    """

    size_px: int
    checked: str

    def __init__(self, keys: Sequence[str], *, size_px: int, checked: str) -> None:
        self._keys = tuple(keys)
        self.size_px = size_px
        self.checked = checked

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Record]:
        return (self[index] for index in range(len(self)))

    def keys(self) -> Sequence[str]:
        """Return the keys of all records, in the order of their indices."""
        return self._keys

    @final
    def __getitem__(self, index: int) -> Record:
        index = range(len(self))[index]
        image, label = self._make(index)
        return Record(self._keys[index], np.ascontiguousarray(image), label)

    @abstractmethod
    def _make(self, index: int) -> tuple[Image, int | None]:
        """Return the picture and the label at an index from 0."""


class ArrayPictures(Pictures):
    """Pictures that are held in memory, with labels.

    Parameters
    ----------
    images : array
        uint8 (N, size, size, 3), RGB, or (N, size, size), grey.
    labels : array
        uint8 (N,), class indices.
    checked : str
        See `Pictures`.
    border_px : int
        Black pixels to add on each side.
    """

    def __init__(
        self,
        images: UInt8[np.ndarray, "_ size size *_"],
        labels: UInt8[np.ndarray, " _"],
        *,
        checked: str,
        border_px: int = 0,
    ) -> None:
        super().__init__(
            [numbered_key(index) for index in range(len(labels))],
            size_px=images.shape[1] + 2 * border_px,
            checked=checked,
        )
        self._images, self._labels, self._border_px = images, labels, border_px

    def _make(self, index: int) -> tuple[Image, int | None]:
        image = np.pad(
            self._images[index],
            [(self._border_px, self._border_px)] * 2 + [(0, 0)] * (self._images.ndim - 3),
        )
        if image.ndim == 2:
            image = np.repeat(image[:, :, None], 3, axis=2)
        return image, int(self._labels[index])


class StoredPictures(Pictures):
    """Pictures that are made from those of a stored set, each when it is asked for.

    Parameters
    ----------
    source : StoredSource
        The stored set.
    indices : sequence of int
        Which of its pictures, in order.
    keys : sequence of str
        What they are called.
    render : Render
        Makes one of another.
    size_px, checked
        See `Pictures`.
    """

    def __init__(
        self,
        source: StoredSource,
        indices: Sequence[int],
        keys: Sequence[str],
        *,
        render: Render,
        size_px: int,
        checked: str,
    ) -> None:
        super().__init__(keys, size_px=size_px, checked=checked)
        self._source, self._indices, self._render = source, indices, render

    def _make(self, index: int) -> tuple[Image, int | None]:
        place = self._indices[index]
        record = self._source[place]
        return self._render(record.image, self._source.name(place)), record.label
