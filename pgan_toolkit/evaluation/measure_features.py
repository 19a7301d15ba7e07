"""Features of stored sets, extracted once and kept for the real side."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace

from pgan_toolkit.evaluation.cache import Entry, StatisticsCache, cache_key
from pgan_toolkit.evaluation.extractors import FeatureExtractor
from pgan_toolkit.evaluation.memory import enough_memory
from pgan_toolkit.evaluation.protocol import about_sets, naming, pair_warnings, require_several
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.features import FeatureSet
from pgan_toolkit.metrics.result import Result

__all__ = ["compare_features", "extract_features", "keep_features", "known_features", "noted"]


def extract_features(
    stream: ImageStream,
    extractor: FeatureExtractor,
    *,
    label: str = "features",
    logits: bool = False,
    cache: StatisticsCache | None = None,
) -> FeatureSet:
    """Return the features of all pictures of a set, whatever their sizes.

    Parameters
    ----------
    stream : ImageStream
        The set.
    extractor : FeatureExtractor
        Gives the features.
    label : str
        What the progress bar calls the work.
    logits : bool
        Whether the logits are wanted too; these are not cached.
    cache : StatisticsCache | None
        Where the features are looked up and kept.

    Raises
    ------
    DataError
        A picture cannot be read.
    SetupError
        The device's memory does not suffice for one image.
    """
    found = None if cache is None or logits else known_features(stream, extractor, cache=cache)
    if found is not None:
        return found
    features = FeatureSet()
    with (
        enough_memory(extractor.device),
        closing(stream.batches(sizes="any", at_most=extractor.batch_size, label=label)) as batches,
    ):
        for batch in batches:
            if logits:
                rows, outputs = extractor.features_and_logits(batch.images)
                features.update(rows, first=batch.first, logits=outputs)
            else:
                features.update(extractor.features(batch.images), first=batch.first)
    if cache is not None and not logits:
        keep_features(stream, features, extractor, cache=cache)
    return features


def compare_features(
    real: ImageStream,
    fake: ImageStream,
    compare: Callable[[FeatureSet, FeatureSet], Result],
    *,
    extractor: FeatureExtractor,
    cache: StatisticsCache | None,
) -> Result:
    """Return what a metric says of the features of two sets, each in full.

    Parameters
    ----------
    real, fake : ImageStream
        The sets.
    compare : callable
        The metric: takes the features of `real` and those of `fake`.
    extractor : FeatureExtractor
        Of the features.
    cache : StatisticsCache | None
        Of the real side's features.

    Raises
    ------
    DataError
        A picture cannot be read, or the metric refuses the sets.
    """
    require_several(real, fake)
    real_side = extract_features(real, extractor, label="real features", cache=cache)
    fake_side = extract_features(fake, extractor, label="fake features")
    with naming(real, fake):
        result = compare(real_side, fake_side)
    return noted(result, extractor, real=real, fake=fake)


def noted(
    result: Result,
    extractor: FeatureExtractor,
    *,
    fake: ImageStream | None,
    real: ImageStream | None = None,
) -> Result:
    """Return a result with the extractor's name and what is unusual about it and the sets.

    Parameters
    ----------
    result : Result
        Computed from the features.
    extractor : FeatureExtractor
        What gave them.
    fake, real : ImageStream | None
        The sets that were read; None where only statistics were.
    """
    result = replace(result, extractor=extractor.identity).warned(*extractor.warnings)
    result = about_sets(result, *(stream for stream in (real, fake) if stream is not None))
    if real is None or fake is None:
        return result
    return result.warned(*pair_warnings(real, fake))


def known_features(
    stream: ImageStream, extractor: FeatureExtractor, *, cache: StatisticsCache
) -> FeatureSet | None:
    """Return the features of the very pictures of a set that were extracted before; None if none.

    Raises
    ------
    DataError
        A picture cannot be read.
    """
    found = cache.load(_key(stream, extractor), _restored) if cache.knows(stream.probe()) else None
    if found is None:
        return None
    features, sizes = found
    stream.recall_sizes(sizes)
    return features


def keep_features(
    stream: ImageStream,
    features: FeatureSet,
    extractor: FeatureExtractor,
    *,
    cache: StatisticsCache,
) -> None:
    """Keep the features of a set that was read just now, for `known_features`."""
    rows = features.features()
    cache.store(
        # Of what was read just now: a picture may have changed since it was looked up.
        _key(stream, extractor),
        [("features", rows)],
        {"sizes": [[*size, count] for size, count in stream.sizes.items()]},
        size_bytes=rows.nbytes,
    )


def _restored(entry: Entry) -> tuple[FeatureSet, Mapping[tuple[int, int], int]]:
    features = FeatureSet()
    features.update(entry.arrays["features"])
    return features, {(height, width): count for height, width, count in entry.about["sizes"]}


def _key(stream: ImageStream, extractor: FeatureExtractor) -> str:
    return cache_key(
        {
            "statistics": "features",
            "extractor": extractor.identity,
            "device": extractor.device.type,  # whose rounding differs
            "pictures": stream.digests(),
        },
        probe=stream.probe(),
    )
