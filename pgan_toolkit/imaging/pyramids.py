"""Laplacian pyramids: how much detail a picture holds, octave by octave."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.arrays import Plane
from pgan_toolkit.errors import UsageError

__all__ = ["laplacian_band_energies", "laplacian_steps"]


def laplacian_band_energies(plane: Plane, *, levels: int) -> tuple[float, ...]:
    """Mean square of the finest bands of a Laplacian pyramid (Burt and Adelson 1983).

    Band l is G_l - up(G_(l+1)), with the 5x5 binomial kernel and borders that are mirrored without
    repeating the edge pixel. It holds roughly the frequencies between 2^-(l+2) and 2^-(l+1) cycles
    per pixel.

    Parameters
    ----------
    plane : Plane
        float32 (H, W), in grey levels.
    levels : int
        How many bands, from the finest.

    Returns
    -------
    tuple of float
        A band each, the finest first; grey levels squared.

    Raises
    ------
    UsageError
        The picture is too small for so many levels.
    """
    if min(plane.shape) < 2 ** (levels + 1):
        raise UsageError(
            f"{plane.shape[1]}x{plane.shape[0]} pixels; {levels} levels of a pyramid take "
            f"{2 ** (levels + 1)} a side or more"
        )
    energies = []
    for _ in range(levels):
        coarser = cv2.pyrDown(plane)
        band = plane - cv2.pyrUp(coarser, dstsize=plane.shape[::-1])
        energies.append(float(np.mean(np.square(band, dtype=np.float64))))
        plane = np.asarray(coarser)
    return tuple(energies)


def laplacian_steps(
    planes: NDArray[np.uint8], *, steps: int, out: Sequence[NDArray[np.int16]]
) -> None:
    """Write the Laplacian pyramid of a picture, in whole steps of a fraction of a grey level.

    Level l is G_l - up(G_(l+1)), by `cv2.pyrDown` and `cv2.pyrUp` in float32, rounded to the
    nearest step; the last one is the low-pass picture itself.

    Parameters
    ----------
    planes : array
        uint8 (3, H, W), which need not be contiguous. The sides halve evenly.
    steps : int
        How many to a grey level: a power of two, 128 at most.
    out : sequence of arrays
        Where to write: int16 (H / 2^l, W / 2^l, 3), the finest level first.
    """
    picture = planes.transpose(1, 2, 0)
    if not picture.flags.c_contiguous:
        picture = cv2.merge(list(planes))
    finer = picture.astype(np.float32)
    finer *= steps  # so that one call below subtracts and rounds
    for level in out[:-1]:
        coarser = np.asarray(cv2.pyrDown(finer), np.float32)
        cv2.subtract(finer, cv2.pyrUp(coarser), dst=level, dtype=cv2.CV_16S)
        finer = coarser
    np.rint(finer, out=out[-1], casting="unsafe")
