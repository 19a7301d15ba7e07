"""Pictures read for training: each must be square and of the size of all."""

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage import StoredSource
from reference_trainer.reals.reduction import reduced_levels

__all__ = ["SquareReader"]

_LOOKED_AT = 64


class SquareReader:
    """Decodes pictures, checks their size, and reduces them. Several threads may use one.

    Parameters
    ----------
    source : StoredSource
        The pictures.
    resolution : int
        Side that the run ends with, pixels. The pictures' is that times a power of two.

    Attributes
    ----------
    side : int
        Of every picture, pixels.

    Raises
    ------
    DataError
        The first picture, or one of some 64 spread over the set, is not square, too small, of a
        side that cannot be halved to the resolution, or of another size than the first. All
        others are checked by `check_header` or when they are decoded.
    """

    def __init__(self, source: StoredSource, *, resolution: int) -> None:
        self.source = source
        self._resolution = resolution
        first = source.info(0)
        self._check_fits(first.height, first.width)
        self.side = first.height
        for index in range(0, len(source), max(len(source) // _LOOKED_AT, 1)):
            self.check_header(index)

    def check_header(self, index: int) -> None:
        """Refuse a picture whose header states another size than the first one's.

        Raises
        ------
        DataError
            The message names the file.
        """
        info = self.source.info(index)
        self._check_size(index, info.height, info.width)

    def read(self, index: int, *resolutions: int) -> list[NDArray[np.uint8]]:
        """Decode a picture and reduce it to each of the resolutions.

        Returns
        -------
        list of uint8 (3, r, r)
            In the order of the resolutions.

        Raises
        ------
        DataError
            The picture is damaged or of another size. The message names the file.
        """
        image = self.source[index].image
        self._check_size(index, *image.shape[:2])
        planes = np.ascontiguousarray(image.transpose(2, 0, 1))
        return reduced_levels(planes, resolutions=resolutions)

    def _check_size(self, index: int, height: int, width: int) -> None:
        if (height, width) != (self.side, self.side):
            raise DataError(
                f"{self.source.name(index)}: {width}x{height} pixels, where "
                f"{self.source.name(0)} has {self.side}x{self.side}; expected pictures of one "
                "size: leave it out, or resize it"
            )

    def _check_fits(self, height: int, width: int) -> None:
        wanted = self._resolution
        found = f"{self.source.name(0)}: {width}x{height} pixels"
        sides = f"{wanted}, {2 * wanted}, {4 * wanted}, ..."
        if height != width:
            raise DataError(
                f"{found}, not square; expected {sides} pixels a side: crop the pictures first "
                "(faces in the wild: `pgan-toolkit build-celebahq`; CelebA's aligned pictures: "
                "`pgan-toolkit data prepare celeba`)"
            )
        if height < wanted:
            raise DataError(
                f"{found}, smaller than resolution={wanted}; {_smaller_preset(height)}give larger "
                "pictures (stacked digits: `pgan-toolkit data stacked-mnist --size 32`)"
            )
        factor = height // wanted
        if factor * wanted != height or not _is_power_of_two(factor):
            raise DataError(
                f"{found}, which halving does not bring to resolution={wanted}; expected {sides} "
                "pixels a side: resize or crop the pictures first"
            )


def _smaller_preset(side: int) -> str:
    """The way out that only pictures of a power of two have."""
    if not _is_power_of_two(side):
        return ""
    return f"choose a preset of at most {side} pixels (--set resolution={side}), or "


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0
