"""The Gaussian that a set's features are taken for: mean, covariance, and how many images."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.errors import DataError
from pgan_toolkit.metrics.accumulator import next_range, take_ranges
from pgan_toolkit.metrics.features import FeatureSet, as_features
from pgan_toolkit.wording import counted

__all__ = ["Gaussian", "GaussianStatistics"]

_ROWS_TOGETHER = 4096
_LEFT_BY_ROUNDING = 1e-4
"""Of the trace, after the factor: 2e-6 was the most of a covariance of ten images in float32."""


@dataclass(frozen=True)
class Gaussian:
    """Mean and covariance of a set's features.

    Attributes
    ----------
    mean : float64 (D,)
    covariance : float64 (D, D)
        Symmetric, with N - 1.
    count : int | None
        Images that gave it; None where that is not known.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    count: int | None

    @cached_property
    def factor(self) -> NDArray[np.float64]:
        """F (D, rank) with F F^T = covariance, by Cholesky's method with pivots.

        It stops where what is left is rounding, so that singular covariances need no added
        diagonal.

        Raises
        ------
        DataError
            More is left than rounding: the covariance has eigenvalues below 0.
        """
        symmetric = (self.covariance + self.covariance.T) / 2
        triangle, pivots, rank, _ = scipy.linalg.lapack.dpstrf(symmetric, lower=1)
        if not symmetric.any():
            rank = 0
        lower = np.tril(triangle)[:, :rank]
        rest = pivots[rank:] - 1
        left = symmetric[np.ix_(rest, rest)] - lower[rank:] @ lower[rank:].T
        trace = float(np.trace(symmetric))
        amount = max(float(np.linalg.norm(left)), abs(float(np.trace(left))))
        if amount > _LEFT_BY_ROUNDING * trace:
            raise DataError(
                f"covariance: eigenvalues below 0: {amount:g} are left after a factor of rank "
                f"{rank}, where the trace is {trace:g}; expected {_LEFT_BY_ROUNDING:g} of it at "
                "most: compute it again from the features, in float64"
            )
        factor = np.zeros((len(symmetric), rank))
        factor[pivots - 1] = lower
        return factor

    def __post_init__(self) -> None:
        """Raise DataError for what cannot be a mean and a covariance."""
        size = self.mean.size
        if self.mean.ndim != 1 or not size or self.covariance.shape != (size, size):
            raise DataError(
                f"mean of shape {self.mean.shape}, covariance of {self.covariance.shape}; "
                "expected (D,) and (D, D)"
            )
        if not (np.isfinite(self.mean).all() and np.isfinite(self.covariance).all()):
            raise DataError("mean or covariance: NaN or infinity; expected finite numbers")
        self._check_covariance()

    def _check_covariance(self) -> None:
        variances = np.diagonal(self.covariance)
        scale = float(np.abs(variances).max())
        difference = float(np.abs(self.covariance - self.covariance.T).max())
        if difference > 1e-6 * scale:
            raise DataError(f"covariance: not symmetric, by {difference:g} where {scale:g} is most")
        if float(variances.min()) < -1e-6 * scale:
            raise DataError(f"covariance: a variance of {variances.min():g}; expected 0 or more")


class GaussianStatistics:
    """Sums of features in float64, from which mean and covariance come; 8 D^2 bytes.

    For sets whose features are too many to keep. Batches and merging can move the result by the
    rounding of float64 (about 1e-13 of it); `FeatureSet` moves by nothing. The sums are of the
    differences from one of the images, so that nothing is lost where features hardly differ, and
    equal ones have a covariance of 0 exactly.
    """

    def __init__(self) -> None:
        self._seen: list[range] = []
        self._origin: NDArray[np.float64] = np.zeros(0)
        self._sum: NDArray[np.float64] = np.zeros(0)
        self._outer: NDArray[np.float64] = np.zeros((0, 0))

    @property
    def count(self) -> int:
        """Images so far."""
        return sum(map(len, self._seen))

    def update(
        self, features: Tensor | NDArray[np.generic] | FeatureSet, *, first: int | None = None
    ) -> None:
        """Take features (N, D) of images from index `first` on.

        Raises
        ------
        DataError
            As `as_features`; or another dimension than before.
        UsageError
            Some of the images were taken before.
        """
        rows = as_features(features)
        if not len(rows):
            return
        self._check_dimension(rows.shape[1])
        next_range(self._seen, first=first, count=len(rows))
        if not len(self._origin):
            self._begin(rows[0].astype(np.float64))
        for start in range(0, len(rows), _ROWS_TOGETHER):
            block = rows[start : start + _ROWS_TOGETHER].astype(np.float64)
            block -= self._origin
            self._sum += block.sum(axis=0)
            self._outer += block.T @ block

    def merge(self, other: "GaussianStatistics") -> None:
        """Take over what another object has of the same set; raises as `update`."""
        if not other.count:
            return
        self._check_dimension(len(other._origin))
        take_ranges(self._seen, other._seen)
        if not len(self._origin):
            self._begin(other._origin)
        between = other._origin - self._origin
        across = np.outer(other._sum, between)
        shift = other.count * np.outer(between, between)
        self._outer = self._outer + other._outer + across + across.T + shift
        self._sum = self._sum + other._sum + other.count * between

    def gaussian(self) -> Gaussian:
        """Return the Gaussian. Raises DataError with fewer than two images."""
        count = self.count
        if count < 2:
            raise DataError(f"{counted(count, 'image')}; a covariance takes 2 at least")
        mean = self._sum / count
        covariance = (self._outer - count * np.outer(mean, mean)) / (count - 1)
        return Gaussian(mean=self._origin + mean, covariance=covariance, count=count)

    def _begin(self, origin: NDArray[np.float64]) -> None:
        size = len(origin)
        self._origin, self._sum, self._outer = origin, np.zeros(size), np.zeros((size, size))

    def _check_dimension(self, size: int) -> None:
        if len(self._origin) not in (0, size):
            raise DataError(f"features of {size} dimensions among those of {len(self._origin)}")
