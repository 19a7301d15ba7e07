"""The Frechet distance between two sets' features (FID): Heusel et al. (2017).

    |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

With factors S = F F^T the last trace is the sum of the singular values of F1^T F2. The factor of a
covariance is its pivoted Cholesky factor, cut at its rank; that of fewer images than dimensions is
their centred features themselves, which takes no D x D matrix at all and nothing from its accuracy.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics.features import (
    Features,
    FeatureSet,
    as_features,
    check_same_dimension,
)
from pgan_toolkit.metrics.gaussian import Gaussian, GaussianStatistics
from pgan_toolkit.metrics.result import Result
from pgan_toolkit.randomness import generator
from pgan_toolkit.wording import counted

__all__ = ["frechet_distance"]

PROTOCOL_IMAGES = 50_000
FEWEST_IMAGES = 2048

Matrix = NDArray[np.float64]
Side = Tensor | NDArray[np.generic] | FeatureSet | GaussianStatistics | Gaussian

_EIGENVALUE_ERROR = 1e-15  # of an eigenvalue, relative to the largest
_TRACE_ERROR = 1e-9  # allowed, relative to the traces


@dataclass(frozen=True)
class _Factored:
    """A Gaussian as mean (D,) and factor (D, rank): covariance = factor @ factor.T."""

    mean: Matrix
    factor: Matrix
    count: int | None


def frechet_distance(real: Side, fake: Side, *, jackknife_groups: int = 0, seed: int = 0) -> Result:
    """Return the Frechet distance between two sets' features, in float64.

    Its bias is about proportional to 1/N and usually much larger than its spread, so that only
    distances from equal numbers of images can be compared. With `jackknife_groups` the fake images
    are dealt out to so many groups and each group is left out once: the spread of the distances
    gives a standard error, over the choice of fake images and for the given real side, and
    their excess over the whole set's the bias of order 1/N. The component "extrapolated" is the
    distance without it: to that order what Chong and Forsyth (2020) extrapolate to and call
    FID-infinity. The interval is about the value, bias included.

    Parameters
    ----------
    real, fake : tensor or array (N, D), FeatureSet, GaussianStatistics or Gaussian
        At least two images each.
    jackknife_groups : int
        0 for none; 10 to 20 otherwise. Each takes as long as one distance. Takes features on the
        fake side.
    seed : int
        Of the groups.

    Returns
    -------
    Result
        Metric "fid", 0 or more: what rounding puts below is set to 0.

    Raises
    ------
    DataError
        Fewer than two images on a side, different dimensions, features that are not finite, a
        covariance with eigenvalues below 0.
    UsageError
        Groups that are too many for the images, or without the features.
    """
    left, right = _factored(real, name="real"), _factored(fake, name="fake")
    check_same_dimension(len(left.mean), len(right.mean))
    value = _distance(left, right)
    result = Result(
        metric="fid",
        value=value,
        images={
            side: each.count
            for side, each in (("real", left), ("fake", right))
            if each.count is not None
        },
        convention="Frechet distance in float64, covariance with N - 1 (Heusel et al. 2017)",
        warnings=_warnings(left.count, right.count),
    )
    if not jackknife_groups:
        return result
    return _with_jackknife(result, left, fake, groups=jackknife_groups, seed=seed)


def _factored(side: Side, *, name: str) -> _Factored:
    if isinstance(side, GaussianStatistics):
        side = side.gaussian()
    if isinstance(side, Gaussian):
        return _Factored(side.mean, side.factor, side.count)
    rows = as_features(side, name=name)
    if len(rows) < 2:
        raise DataError(
            f"{name}: {counted(len(rows), 'image')}; a Frechet distance takes 2 at least"
        )
    return _factored_rows(rows)


def _factored_rows(rows: Features) -> _Factored:
    """From features: themselves where they are fewer than dimensions."""
    count, size = rows.shape
    if count > size:
        statistics = GaussianStatistics()
        statistics.update(rows)
        return _factored(statistics, name="")
    exact = rows.astype(np.float64)
    mean = exact.mean(axis=0)
    return _Factored(mean, (exact - mean).T / math.sqrt(count - 1), count)


def _distance(left: _Factored, right: _Factored) -> float:
    apart = left.mean - right.mean
    traces = float((left.factor**2).sum() + (right.factor**2).sum())
    shared = _sum_of_singular_values(left.factor.T @ right.factor, scale=traces)
    # Equal sets leave a rest of either sign, of the order of rounding.
    return max(float(apart @ apart) + traces - 2 * shared, 0.0)


def _sum_of_singular_values(product: Matrix, *, scale: float) -> float:
    """The sum, by eigenvalues of the smaller Gram matrix where these are accurate enough.

    They are twice to four times as fast as singular values, but the root of an eigenvalue l has an
    error of e / (2 sqrt(l)), and sqrt(e) at most, when that of the eigenvalues is e.
    """
    if not product.size:
        return 0.0
    matrix = torch.from_numpy(product if product.shape[0] <= product.shape[1] else product.T)
    squares = torch.linalg.eigvalsh(matrix @ matrix.T).clamp(min=0).numpy()
    error = _EIGENVALUE_ERROR * float(squares[-1])
    roots = np.sqrt(squares)
    if float((error / (2 * np.maximum(roots, math.sqrt(error) / 2 + 1e-300))).sum()) <= (
        _TRACE_ERROR * scale
    ):
        return float(roots.sum())
    return float(torch.linalg.svdvals(matrix).sum())


def _with_jackknife(
    result: Result, real: _Factored, fake: Side, *, groups: int, seed: int
) -> Result:
    """Add what leaving out one group after the other says (Shao and Tu 1995, section 2.3)."""
    if isinstance(fake, Gaussian | GaussianStatistics):
        raise UsageError("a jackknife takes the features of the fake side, not their statistics")
    rows = as_features(fake, name="fake")
    if not 2 <= groups <= len(rows) // 2:
        raise UsageError(
            f"{groups} jackknife groups of {counted(len(rows), 'image')}; expected 2 to half"
        )
    order = generator(seed, "frechet jackknife").permutation(len(rows))
    left_out = [np.sort(part) for part in np.array_split(order, groups)]
    distances = np.array(
        [_distance(real, _factored_rows(np.delete(rows, part, axis=0))) for part in left_out]
    )
    mean = float(distances.mean())
    error = math.sqrt((groups - 1) / groups * float(((distances - mean) ** 2).sum()))
    extrapolated = result.value - (groups - 1) * (mean - result.value)
    return replace(
        result,
        components={"extrapolated": extrapolated},
        component_errors={"extrapolated": error},
        standard_error=error,
        interval=(max(result.value - 1.96 * error, 0.0), result.value + 1.96 * error),
        uncertainty=f"jackknife over {groups} groups of fake images",
        seed=seed,
    )


def _warnings(real: int | None, fake: int | None) -> tuple[str, ...]:
    """How few images move the distance: said once, of all sides that it is true of."""
    counts = {"real": real, "fake": fake}
    known = {side: count for side, count in counts.items() if count is not None}
    found = [f"{side}: the number of images is not known" for side in counts if side not in known]
    few = [f"{count:,} {side}" for side, count in known.items() if count < FEWEST_IMAGES]
    if few:
        found.append(
            f"{' and '.join(few)} images: fewer than {FEWEST_IMAGES:,} cannot give the covariance "
            f"its rank, and the distance is far too high; the protocol takes {PROTOCOL_IMAGES:,} "
            "fakes"
        )
    elif known.get("fake", PROTOCOL_IMAGES) != PROTOCOL_IMAGES:
        found.append(f"{fake:,} fake images: the protocol takes {PROTOCOL_IMAGES:,}")
    return tuple(found)
