"""The kernel distance of stored sets."""

from functools import partial

from pgan_toolkit.evaluation.cache import StatisticsCache
from pgan_toolkit.evaluation.extractors import FeatureExtractor
from pgan_toolkit.evaluation.measure_features import compare_features
from pgan_toolkit.evaluation.protocol import require_several
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.kid import FEWEST_KID_IMAGES, kernel_distance
from pgan_toolkit.metrics.result import Result

__all__ = ["measure_kid"]


def measure_kid(
    real: ImageStream,
    fake: ImageStream,
    *,
    extractor: FeatureExtractor,
    subsets: int = 100,
    subset_size: int = 1000,
    whole_sets: bool = False,
    cache: StatisticsCache | None = None,
) -> Result:
    """Return the KID of two sets, each in full.

    Parameters
    ----------
    real, fake : ImageStream
        The sets.
    extractor : FeatureExtractor
        Of the features.
    subsets, subset_size, whole_sets
        As `kernel_distance`; its seed is that of the fake stream.
    cache : StatisticsCache | None
        Of the real side's features.

    Raises
    ------
    DataError
        Too few pictures, or one that cannot be read.
    """
    require_several(real, fake, fewest=FEWEST_KID_IMAGES, why="a kernel distance takes")
    compare = partial(
        kernel_distance,
        subsets=subsets,
        subset_size=subset_size,
        seed=fake.settings.seed,
        whole_sets=whole_sets,
    )
    return compare_features(real, fake, compare, extractor=extractor, cache=cache)
