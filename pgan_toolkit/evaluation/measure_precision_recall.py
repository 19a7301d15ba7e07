"""Precision, recall, density and coverage of stored sets."""

from pgan_toolkit.evaluation.cache import StatisticsCache
from pgan_toolkit.evaluation.extractors import FeatureExtractor
from pgan_toolkit.evaluation.measure_features import extract_features, noted
from pgan_toolkit.evaluation.protocol import naming
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.manifold import precision_recall
from pgan_toolkit.metrics.result import Result

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
    real_side = extract_features(real, extractor, label="real features", cache=cache)
    fake_side = extract_features(fake, extractor, label="fake features")
    with naming(real, fake):
        result = precision_recall(real_side, fake_side, k=k, density_k=density_k)
    return noted(result, extractor, real=real, fake=fake)
