"""The inception score of a stored set."""

from pgan_toolkit.evaluation.extractors import FeatureExtractor
from pgan_toolkit.evaluation.measure_features import extract_features, noted
from pgan_toolkit.evaluation.protocol import naming, require_several
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.inception_score import inception_score
from pgan_toolkit.metrics.result import Result

__all__ = ["measure_inception_score"]


def measure_inception_score(
    fake: ImageStream, *, extractor: FeatureExtractor, splits: int = 10
) -> Result:
    """Return the inception score of a set.

    Parameters
    ----------
    fake : ImageStream
        The set, whose order decides the splits.
    extractor : FeatureExtractor
        Of the logits.
    splits : int
        As `inception_score`.

    Raises
    ------
    DataError
        Fewer pictures than splits, or one that cannot be read.
    UsageError
        The extractor has no classes.
    """
    require_several(fake, fewest=splits, why=f"{splits} splits (--splits) take")
    outputs = extract_features(fake, extractor, label="fake classes", logits=True)
    with naming(fake):
        result = inception_score(outputs, splits=splits)
    return noted(result, extractor, fake=fake)
