"""The Frechet distance as its definition reads, with SciPy's square root of a matrix."""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

__all__ = ["plain_frechet", "plain_frechet_of_moments"]

Floats = NDArray[np.floating]


def plain_frechet(real: Floats, fake: Floats) -> float:
    """From features (N, D), by way of their covariances."""
    sides = [
        (side.mean(axis=0, dtype=np.float64), np.cov(side, rowvar=False, dtype=np.float64))
        for side in (real, fake)
    ]
    return plain_frechet_of_moments(*sides[0], *sides[1])


def plain_frechet_of_moments(m1: Floats, s1: Floats, m2: Floats, s2: Floats) -> float:
    """From means (D,) and covariances (D, D)."""
    root = scipy.linalg.sqrtm(s1 @ s2)
    return float(((m1 - m2) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * np.trace(root).real)
