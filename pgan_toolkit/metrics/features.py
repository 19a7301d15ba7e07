"""The features of one set of images: extracted once, and used by every metric that needs them."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.errors import DataError
from pgan_toolkit.metrics.accumulator import next_range, take_ranges

__all__ = ["FeatureSet", "Features", "as_features", "check_same_dimension"]

if TYPE_CHECKING:
    Features = NDArray[np.float32]
else:
    Features = Float32[np.ndarray, "_ _"]
    """A row an image, (N, D)."""


def as_features(
    features: "Tensor | NDArray[np.generic] | FeatureSet", *, name: str = "features"
) -> Features:
    """Return features as a float32 array (N, D), on the CPU.

    Parameters
    ----------
    features : tensor or array (N, D), floating point; or FeatureSet
        A row an image.
    name : str
        What messages call them.

    Raises
    ------
    DataError
        Another shape or type, or rows that hold NaN or infinity.
    """
    if isinstance(features, FeatureSet):
        return features.features()
    rows = features.detach().cpu().numpy() if isinstance(features, Tensor) else features
    rows = np.asarray(rows)
    if rows.ndim != 2 or not rows.shape[1]:
        raise DataError(f"{name}: shape {rows.shape}; expected (N, D), a row an image")
    if not np.issubdtype(rows.dtype, np.floating):
        raise DataError(f"{name}: {rows.dtype}; expected floating point")
    with np.errstate(over="ignore"):  # what float32 cannot hold is reported below
        converted = np.ascontiguousarray(rows, np.float32)
    bad = np.flatnonzero(~np.isfinite(converted).all(axis=1))
    if len(bad):
        raise DataError(
            f"{name}: {len(bad)} of {len(rows)} rows hold NaN or infinity, row {bad[0]} first; "
            "look at those images and at the weights that gave the features"
        )
    return converted


def check_same_dimension(real: int, fake: int) -> None:
    """Raise DataError where two sides' features have different lengths."""
    if real != fake:
        raise DataError(
            f"features of {real} dimensions (real) against {fake} (fake); expected those of one "
            "extractor"
        )


class FeatureSet:
    """Features of a set, and the logits where the extractor gives them, kept by index.

    What comes out does not depend on the batches, their order, or how they were split over several
    sets that were merged. It holds 4 D bytes an image: 410 MB for 50,000 of 2,048 dimensions,
    and as much again while batches are joined at the first reading.
    """

    def __init__(self) -> None:
        self._seen: list[range] = []
        self._rows: dict[int, Features] = {}
        self._logits: dict[int, Features] = {}

    def __len__(self) -> int:
        return sum(map(len, self._seen))

    def update(
        self,
        features: Tensor | NDArray[np.generic],
        *,
        first: int | None = None,
        logits: Tensor | NDArray[np.generic] | None = None,
    ) -> None:
        """Take features (N, D), and logits (N, C), of images from index `first` on.

        Raises
        ------
        DataError
            As `as_features`; other dimensions than before; logits for some images only.
        UsageError
            Some of the images were taken before.
        """
        rows = as_features(features)
        outputs = None if logits is None else as_features(logits, name="logits")
        if not len(rows):
            return
        self._check(rows, outputs)
        start = next_range(self._seen, first=first, count=len(rows)).start
        self._rows[start] = rows.copy()  # the caller's array may change
        if outputs is not None:
            self._logits[start] = outputs.copy()

    def merge(self, other: "FeatureSet") -> None:
        """Take over what another object has of the same set; raises as `update`."""
        if not len(other):
            return
        rows, logits = next(iter(other._rows.values())), next(iter(other._logits.values()), None)
        self._check(rows, None if logits is None else logits[: len(rows)], whole=False)
        take_ranges(self._seen, other._seen)
        self._rows.update(other._rows)
        self._logits.update(other._logits)

    def features(self) -> Features:
        """Return them by index, float32 (N, D), not to be changed. Raises DataError if none."""
        if not self._rows:
            raise DataError("features: 0 images; expected at least 1")
        self._rows = _joined(self._rows, self._seen)
        return _in_order(self._rows)

    def logits(self) -> Features:
        """Return the logits by index, float32 (N, C). Raises DataError where there are none."""
        if not self._logits:
            raise DataError("logits: none; expected an extractor that gives them")
        self._logits = _joined(self._logits, self._seen)
        return _in_order(self._logits)

    def _check(self, rows: Features, logits: Features | None, *, whole: bool = True) -> None:
        if whole and logits is not None and len(logits) != len(rows):
            raise DataError(f"{len(logits)} rows of logits for {len(rows)} of features")
        if not self._rows:
            return
        _check_row(rows, next(iter(self._rows.values())), name="features")
        if (logits is None) == bool(self._logits):
            raise DataError("logits: given for some images only; expected all or none")
        if logits is not None:
            _check_row(logits, next(iter(self._logits.values())), name="logits")


def _check_row(rows: Features, known: Features, *, name: str) -> None:
    if rows.shape[1] != known.shape[1]:
        raise DataError(f"{name} of {rows.shape[1]} dimensions among those of {known.shape[1]}")


def _joined(parts: dict[int, Features], seen: list[range]) -> dict[int, Features]:
    """One array for each range of images without a gap."""
    if len(parts) == len(seen):
        return parts
    return {
        run.start: np.concatenate([parts[start] for start in sorted(parts) if start in run])
        for run in seen
    }


def _in_order(parts: dict[int, Features]) -> Features:
    arrays = [parts[start] for start in sorted(parts)]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
