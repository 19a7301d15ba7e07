"""The Gaussian that a set's features are taken for: mean, covariance, and how many images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.errors import DataError
from pgan_toolkit.metrics.accumulator import next_range
from pgan_toolkit.metrics.features import FeatureSet, as_features

__all__ = ["Gaussian", "GaussianStatistics"]

_ROWS_TOGETHER = 4096


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
    rounding of float64 (about 1e-13 of it); `FeatureSet` moves by nothing.
    """

    def __init__(self) -> None:
        self._seen: list[range] = []
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
        self._take_dimension(rows.shape[1])
        next_range(self._seen, first=first, count=len(rows))
        for start in range(0, len(rows), _ROWS_TOGETHER):
            block = rows[start : start + _ROWS_TOGETHER].astype(np.float64)
            self._sum += block.sum(axis=0)
            self._outer += block.T @ block

    def merge(self, other: "GaussianStatistics") -> None:
        """Take over what another object has of the same set; raises as `update`."""
        if not other.count:
            return
        self._take_dimension(len(other._sum))
        for indices in other._seen:
            next_range(self._seen, first=indices.start, count=len(indices))
        self._sum = self._sum + other._sum
        self._outer = self._outer + other._outer

    def gaussian(self) -> Gaussian:
        """Return the Gaussian. Raises DataError with fewer than two images."""
        count = self.count
        if count < 2:
            raise DataError(f"{count} images; a covariance takes 2 at least")
        mean = self._sum / count
        covariance = (self._outer - count * np.outer(mean, mean)) / (count - 1)
        return Gaussian(mean=mean, covariance=covariance, count=count)

    def _take_dimension(self, size: int) -> None:
        if not len(self._sum):
            self._sum, self._outer = np.zeros(size), np.zeros((size, size))
        elif len(self._sum) != size:
            raise DataError(f"features of {size} dimensions among those of {len(self._sum)}")
