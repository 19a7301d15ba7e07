"""Precision, recall, density and coverage of stored sets."""

from functools import partial

from pgan_toolkit.evaluation.cache import StatisticsCache
from pgan_toolkit.evaluation.extractors import FeatureExtractor
from pgan_toolkit.evaluation.measure_features import compare_features
from pgan_toolkit.evaluation.protocol import require_several
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.manifold import precision_recall
from pgan_toolkit.metrics.result import Result
from pgan_toolkit.wording import counted

__all__ = ["measure_precision_recall"]


def measure_precision_recall(
    real: ImageStream,
    fake: ImageStream,
    *,
    extractor: FeatureExtractor,
    k: int = 3,
    density_k: int = 5,
    cache: StatisticsCache | None = None,
) -> Result:
    """Return precision, recall, density and coverage of two sets, each in full.

    Parameters
    ----------
    real, fake : ImageStream
        The sets.
    extractor : FeatureExtractor
        Of the features.
    k, density_k
        As `precision_recall`.
    cache : StatisticsCache | None
        Of the real side's features.

    Raises
    ------
    DataError
        Too few pictures, or one that cannot be read.
    """
    neighbours = max(k, density_k)
    why = f"{counted(neighbours, 'neighbour')} of each (--neighbours, --density-neighbours) take"
    require_several(real, fake, fewest=neighbours + 1, why=why)
    compare = partial(precision_recall, k=k, density_k=density_k)
    return compare_features(real, fake, compare, extractor=extractor, cache=cache)
