"""Laplacian pyramids: how much detail a picture holds, octave by octave."""

import cv2
import numpy as np

from pgan_toolkit.arrays import Plane
from pgan_toolkit.errors import UsageError

__all__ = ["laplacian_band_energies"]


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
