"""Precision and recall, density and coverage: of fakes among the reals, and of reals reached.

Each point of a set stands for a ball that reaches to its k-th nearest neighbour in the same set.
Precision is the share of fakes in some ball of a real, recall the share of reals in some ball of a
fake (Kynkaanniemi et al. 2019). Density counts in how many reals' balls a fake lies, over k, and
coverage is the share of reals in whose ball there is a fake (Naeem et al. 2020).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics.distances import blocks, nearest_radii
from pgan_toolkit.metrics.features import (
    Features,
    FeatureSet,
    as_features,
    check_same_dimension,
)
from pgan_toolkit.metrics.result import Result
from pgan_toolkit.wording import counted

__all__ = ["precision_recall"]

PROTOCOL_IMAGES = 50_000


@dataclass(frozen=True)
class _Counts:
    """What lies where.

    Attributes
    ----------
    precise : bool (M,)
        Fakes in some ball of a real.
    recalled : bool (N,)
        Reals in some ball of a fake.
    balls : int64 (M,)
        Reals' balls around each fake.
    covered : bool (N,)
        Reals with a fake in their ball.
    """

    precise: NDArray[np.bool_]
    recalled: NDArray[np.bool_]
    balls: NDArray[np.int64]
    covered: NDArray[np.bool_]


def precision_recall(
    real: Tensor | NDArray[np.generic] | FeatureSet,
    fake: Tensor | NDArray[np.generic] | FeatureSet,
    *,
    k: int = 3,
    density_k: int = 5,
) -> Result:
    """Return precision, recall, density and coverage of fake features among real ones.

    A point on the edge of a ball is in it for precision and recall, and is not for density and
    coverage: so the authors' programs have it, and so equal sets have a density of 1. It matters
    only where distances are equal to the last bit; where more than `density_k` reals are equal,
    their balls are empty.

    Distances are exact (float64), whatever the memory at hand; it takes about 1 GiB beside the
    features.

    Parameters
    ----------
    real, fake : tensor or array (N, D), or FeatureSet
        More images than `k` and `density_k` on each side.
    k : int
        Neighbours of precision and recall.
    density_k : int
        Neighbours of density and coverage.

    Returns
    -------
    Result
        Metric "precision-recall"; components "precision", "recall", "density" and "coverage", the
        first of which is the value. The standard errors are over the points that are counted,
        with the balls taken as given.

    Raises
    ------
    DataError
        Too few images, different dimensions, features that are not finite.
    UsageError
        A number of neighbours below 1.
    """
    x, y = as_features(real, name="real"), as_features(fake, name="fake")
    check_same_dimension(x.shape[1], y.shape[1])
    _check_counts(len(x), len(y), k=k, density_k=density_k)
    counts = _count(*_within_float32(x, y), k=k, density_k=density_k)
    parts = {
        "precision": counts.precise,
        "recall": counts.recalled,
        "density": counts.balls / density_k,
        "coverage": counts.covered,
    }
    components = {name: float(part.mean()) for name, part in parts.items()}
    errors = {name: float(part.std(ddof=1)) / math.sqrt(len(part)) for name, part in parts.items()}
    return Result(
        metric="precision-recall",
        value=components["precision"],
        images={"real": len(x), "fake": len(y)},
        convention=(
            f"precision and recall with k = {k} (Kynkaanniemi et al. 2019), density and coverage "
            f"with k = {density_k} (Naeem et al. 2020)"
        ),
        components=components,
        component_errors=errors,
        standard_error=errors["precision"],
        uncertainty="the points that are counted, balls as given",
        warnings=_warnings(len(x), len(y)),
    )


def _within_float32(x: Features, y: Features) -> tuple[Features, Features]:
    """Bring features whose squares float32 cannot hold to a size at which it can.

    By a power of two: which points are nearer does not change.
    """
    largest = max(float(np.abs(side).max()) for side in (x, y))
    if not largest or 2.0**-20 <= largest <= 2.0**50:
        return x, y
    exponent = -math.frexp(largest)[1]
    return np.ldexp(x, exponent), np.ldexp(y, exponent)


def _count(x: Features, y: Features, *, k: int, density_k: int) -> _Counts:
    real_radii, density_radii = nearest_radii(x, ks=(k, density_k))
    (fake_radii,) = nearest_radii(y, ks=(k,))
    counts = _Counts(
        precise=np.zeros(len(y), np.bool_),
        recalled=np.zeros(len(x), np.bool_),
        balls=np.zeros(len(y), np.int64),
        covered=np.zeros(len(x), np.bool_),
    )
    for block in blocks(x, y):
        rows = slice(block.rows.start, block.rows.stop)
        counts.precise[:] |= block.within(real_radii[rows, None], closed=True).any(axis=0)
        counts.recalled[rows] = block.within(fake_radii[None, :], closed=True).any(axis=1)
        dense = block.within(density_radii[rows, None], closed=False)
        counts.balls[:] += dense.sum(axis=0)
        counts.covered[rows] = dense.any(axis=1)
    return counts


def _check_counts(real: int, fake: int, *, k: int, density_k: int) -> None:
    if min(k, density_k) < 1:
        raise UsageError(f"k = {k}, density_k = {density_k}; expected 1 or more")
    needed = max(k, density_k) + 1
    for side, count in (("real", real), ("fake", fake)):
        if count < needed:
            raise DataError(
                f"{side}: {counted(count, 'image')}; expected {needed} or more, for "
                f"{counted(needed - 1, 'neighbour')} of each"
            )


def _warnings(real: int, fake: int) -> tuple[str, ...]:
    found = [
        f"{side}: {counted(count, 'image')}: the protocol takes {PROTOCOL_IMAGES:,}"
        for side, count in (("real", real), ("fake", fake))
        if count != PROTOCOL_IMAGES
    ]
    if real != fake:
        found.append("unequal numbers of images: the balls of the larger set are smaller")
    return tuple(found)
