"""A data set whose pictures are reduced as a run reduces its reals."""

import numpy as np

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError
from pgan_toolkit.storage import PictureInfo, StoredSource
from reference_trainer.reals.squares import SquareReader

__all__ = ["ReducedSource"]


class ReducedSource(StoredSource):
    """Squares by the means of their blocks of 2x2, 4x4, ... pixels, see `reduce_images`.

    Parameters
    ----------
    source : StoredSource
        Squares of one size, `resolution` times a power of two.
    resolution : int
        Pixels a side.

    Raises
    ------
    DataError
        The pictures are not such. The message names one of them.
    """

    def __init__(self, source: StoredSource, *, resolution: int) -> None:
        super().__init__(
            source.path, format_name=source.format, keys=source.keys(), labels=source.labels()
        )
        first = source.info(0)
        if min(first.height, first.width) < resolution:
            raise DataError(
                f"{source.name(0)}: {first.width}x{first.height} pixels, smaller than "
                f"{resolution}x{resolution}; pictures are reduced and not enlarged"
            )
        self._reader = SquareReader(source, resolution=resolution)
        self._resolution = resolution

    def _name(self, index: int) -> str:
        return self._reader.source.name(index)

    def _read(self, index: int) -> Image:
        (planes,) = self._reader.read(index, self._resolution)
        return np.ascontiguousarray(planes.transpose(1, 2, 0))

    def _inspect(self, index: int) -> PictureInfo:
        side = self._resolution
        return PictureInfo(height=side, width=side, stored_bytes=3 * side**2, encoding="pixels")
