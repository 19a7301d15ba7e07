"""The inception score: Salimans et al. (2016), as Karras et al. (2018) report it."""

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics.features import Features, FeatureSet, as_features
from pgan_toolkit.metrics.result import Result
from pgan_toolkit.wording import counted

__all__ = ["inception_score"]

PROTOCOL_IMAGES = 50_000


def inception_score(
    logits: Tensor | NDArray[np.generic] | FeatureSet, *, splits: int = 10
) -> Result:
    """Return exp(mean KL(p(class | image) || p(class))), averaged over parts of the set.

    The score rises with images that are classified surely and with classes that are even. It knows
    nothing of real images, and the classes are ImageNet's.

    Parameters
    ----------
    logits : tensor or array (N, C), or FeatureSet with logits
        Before the softmax, by index; of the Inception network of 2015 C = 1008, without its bias.
    splits : int
        Contiguous parts by index, part i from floor(i N / splits) on; where N is not a multiple of
        them, they differ by one image.

    Returns
    -------
    Result
        Metric "inception-score", 1..C. Component "std over splits" is the population standard
        deviation that papers print behind the +-; the standard error is the sample standard
        deviation over the root of the number of splits.

    Raises
    ------
    DataError
        Fewer images than splits, or logits that are not finite.
    UsageError
        No splits.
    """
    rows = logits.logits() if isinstance(logits, FeatureSet) else as_features(logits, name="logits")
    count = len(rows)
    if splits < 1:
        raise UsageError(f"{splits} splits; expected 1 or more")
    if count < splits:
        raise DataError(
            f"{counted(count, 'image')} for {splits} splits; expected one each at least"
        )
    parts = counted(splits, "contiguous split")
    bounds = [k * count // splits for k in range(splits + 1)]
    scores = np.array([_score(rows[bounds[k] : bounds[k + 1]]) for k in range(splits)])
    spread = float(scores.std())
    return Result(
        metric="inception-score",
        value=float(scores.mean()),
        images={"fake": count},
        convention=f"{parts}, exp(mean KL) of each (Salimans et al. 2016)",
        components={"std over splits": spread},
        standard_error=spread / math.sqrt(splits - 1) if splits > 1 else None,
        uncertainty=f"{splits} splits" if splits > 1 else "",
        warnings=_warnings(count, splits),
    )


def _score(logits: Features) -> float:
    """Exp(mean KL) of one part, in float64."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    chances = np.exp(shifted)
    totals = chances.sum(axis=1, keepdims=True)
    chances /= totals
    surprise = shifted - np.log(totals)
    # Where every image's chance underflows to 0, so does its share of the sum.
    overall = np.log(np.maximum(chances.mean(axis=0), np.finfo(np.float64).tiny))
    return math.exp(max(float((chances * (surprise - overall)).sum(axis=1).mean()), 0.0))


def _warnings(count: int, splits: int) -> tuple[str, ...]:
    found = []
    if count != PROTOCOL_IMAGES:
        found.append(f"{counted(count, 'image')}: the protocol takes {PROTOCOL_IMAGES:,}")
    if count % splits:
        found.append(f"{counted(count, 'image')} in {splits} splits: they differ by one image")
    return tuple(found)
