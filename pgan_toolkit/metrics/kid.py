"""The kernel distance between two sets' features (KID): Binkowski et al. (2018).

The squared maximum mean discrepancy with the kernel (x.y / D + 1)^3, estimated without bias: unlike
the FID it expects the same for any number of images, and may come out a little below 0. Papers
differ in the unit: many print 1000 times the number that is returned here.
"""

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics.features import (
    Features,
    FeatureSet,
    as_features,
    check_same_dimension,
)
from pgan_toolkit.metrics.result import Result
from pgan_toolkit.randomness import generator

__all__ = ["FEWEST_KID_IMAGES", "kernel_distance"]

FEWEST_KID_IMAGES = 4
"""Of each side: two halves of two."""

_ROWS_TOGETHER = 2048


def kernel_distance(
    real: Tensor | NDArray[np.generic] | FeatureSet,
    fake: Tensor | NDArray[np.generic] | FeatureSet,
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
    whole_sets: bool = False,
) -> Result:
    """Return the mean of the kernel distance over random subsets, in float64.

    Parameters
    ----------
    real, fake : tensor or array (N, D), or FeatureSet
        At least four images each.
    subsets : int
        How many are drawn, each without replacement and for both sides independently.
    subset_size : int
        Images of each side in a subset; half of the smaller side where that has no more, so that
        subsets differ.
    seed : int
        Of the subsets.
    whole_sets : bool
        Also give the estimate from all pairs of images, as the component "whole sets"; takes a time
        that grows as the square of their number, and no more memory.

    Returns
    -------
    Result
        Metric "kid", not multiplied by 1000. Component "std over subsets" is what papers print
        behind the +-. The standard error says how the value would differ with other images and
        other subsets: subsets of n out of N images are a jackknife that leaves N - n out (Shao and
        Tu 1995, section 2.3), by which the variance over the choice of images is n / (N - n) times
        that over subsets. N is that of the smaller side; where the other has more, or where the two
        sides are alike (which makes the distance's spread fall as 1/N), it is an upper bound.

    Raises
    ------
    DataError
        Too few images, different dimensions, features that are not finite.
    UsageError
        No subsets, or subsets of fewer than two.
    """
    x, y = as_features(real, name="real"), as_features(fake, name="fake")
    check_same_dimension(x.shape[1], y.shape[1])
    if subsets < 1 or subset_size < 2:
        raise UsageError(f"{subsets} subsets of {subset_size}; expected 1 or more of 2 or more")
    size = _subset_size(len(x), len(y), wanted=subset_size)
    values = np.array([_subset_distance(x, y, size, seed=seed, index=k) for k in range(subsets)])
    jackknife = size / (min(len(x), len(y)) - size)
    components = {"whole sets": squared_mmd(x, y)} if whole_sets else {}
    spread = float(values.std(ddof=1)) if subsets > 1 else None
    if spread is not None:
        components["std over subsets"] = spread
    return Result(
        metric="kid",
        value=math.fsum(values) / subsets,
        images={"real": len(x), "fake": len(y)},
        convention="unbiased squared MMD, kernel (x.y/D + 1)^3, not x1000 (Binkowski et al. 2018)",
        components=components,
        standard_error=None if spread is None else spread * math.sqrt(jackknife + 1 / subsets),
        uncertainty="" if spread is None else f"jackknife by {subsets} subsets of {size:,} images",
        seed=seed,
        warnings=_warnings(len(x), len(y), size=size, wanted=subset_size),
    )


def squared_mmd(x: Features, y: Features) -> float:
    """Return the unbiased estimate from all pairs of rows, of two or more rows each."""
    n, m = len(x), len(y)
    own = _kernel_sum(x, x, diagonal=False) / (n * (n - 1))
    own += _kernel_sum(y, y, diagonal=False) / (m * (m - 1))
    return own - 2 * _kernel_sum(x, y, diagonal=True) / (n * m)


def _kernel_sum(x: Features, y: Features, *, diagonal: bool) -> float:
    """Sum of the kernel over all pairs, with or without those of equal index."""
    total = 0.0
    for row in range(0, len(x), _ROWS_TOGETHER):
        left = x[row : row + _ROWS_TOGETHER].astype(np.float64)
        for column in range(0, len(y), _ROWS_TOGETHER):
            right = y[column : column + _ROWS_TOGETHER].astype(np.float64)
            kernel = left @ right.T
            kernel /= x.shape[1]
            kernel += 1
            kernel *= kernel * kernel
            total += float(kernel.sum())
            if row == column and not diagonal:
                total -= float(np.trace(kernel))
    return total


def _subset_distance(x: Features, y: Features, size: int, *, seed: int, index: int) -> float:
    random = generator(seed, "kid subset", index)
    first = random.choice(len(x), size, replace=False)
    second = random.choice(len(y), size, replace=False)
    return squared_mmd(x[first], y[second])


def _subset_size(real: int, fake: int, *, wanted: int) -> int:
    fewest = min(real, fake)
    if fewest < FEWEST_KID_IMAGES:
        raise DataError(
            f"{real} real and {fake} fake images; a kernel distance takes {FEWEST_KID_IMAGES} of "
            "each"
        )
    return wanted if fewest > wanted else fewest // 2


def _warnings(real: int, fake: int, *, size: int, wanted: int) -> tuple[str, ...]:
    if size == wanted:
        return ()
    return (
        f"{min(real, fake):,} images are too few for subsets of {wanted:,}: subsets of {size:,} "
        "were drawn",
    )
