"""The Frechet distance (FID) of stored sets, or of statistics that were computed before."""

from dataclasses import dataclass, replace

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.evaluation.cache import StatisticsCache
from pgan_toolkit.evaluation.extractors import FeatureExtractor
from pgan_toolkit.evaluation.measure_features import extract_features, noted
from pgan_toolkit.evaluation.protocol import naming, require_several
from pgan_toolkit.evaluation.statistics_files import (
    PREPARED,
    StoredStatistics,
    require_one_convention,
)
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.features import FeatureSet
from pgan_toolkit.metrics.frechet import frechet_distance
from pgan_toolkit.metrics.gaussian import Gaussian, GaussianStatistics
from pgan_toolkit.metrics.result import Result
from pgan_toolkit.wording import counted

__all__ = ["FidMeasurement", "measure_fid"]


@dataclass(frozen=True, eq=False)
class FidMeasurement:
    """What `measure_fid` found: the result, and the real side's features if they were extracted."""

    result: Result
    extractor: FeatureExtractor | None
    real: FeatureSet | None

    def real_statistics(self) -> StoredStatistics:
        """Return the real side's statistics, for `write_statistics`.

        Raises
        ------
        UsageError
            They were given as such.
        """
        if self.real is None or self.extractor is None:
            raise UsageError("the real side was given as statistics; give its pictures")
        statistics = GaussianStatistics()
        statistics.update(self.real)
        return StoredStatistics(statistics.gaussian(), self.extractor.identity, PREPARED)


def measure_fid(
    real: ImageStream | StoredStatistics,
    fake: ImageStream | StoredStatistics,
    *,
    extractor: FeatureExtractor | None,
    jackknife_groups: int = 0,
    seed: int = 0,
    cache: StatisticsCache | None = None,
) -> FidMeasurement:
    """Return the FID of two sets, each in full.

    Parameters
    ----------
    real, fake : ImageStream or StoredStatistics
        The sets, or what was computed of them before.
    extractor : FeatureExtractor | None
        Of the features; None where both sides are statistics.
    jackknife_groups, seed
        As `frechet_distance`.
    cache : StatisticsCache | None
        Of the real side's features.

    Raises
    ------
    DataError
        Fewer than two pictures, one that cannot be read, or statistics of another network.
    UsageError
        Pictures without an extractor, a jackknife of fake statistics, or of more groups than half
        the fake pictures.
    """
    _require_groups(fake, jackknife_groups)
    name, unknown = _network(real, fake, extractor)
    sets = [side for side in (real, fake) if isinstance(side, ImageStream)]
    stored = {
        name: side
        for name, side in (("real", real), ("fake", fake))
        if isinstance(side, StoredStatistics)
    }
    require_one_convention(stored, pictures=bool(sets))
    require_several(*sets)
    real_side = _side(real, extractor, label="real features", cache=cache)
    fake_side = _side(fake, extractor, label="fake features")
    with naming(*sets):
        result = frechet_distance(
            _numbers(real_side), _numbers(fake_side), jackknife_groups=jackknife_groups, seed=seed
        ).warned(*unknown)
    if extractor is None:
        result = replace(result, extractor=name)
    else:
        read = {
            side: each if isinstance(each, ImageStream) else None
            for side, each in (("real", real), ("fake", fake))
        }
        result = noted(result, extractor, real=read["real"], fake=read["fake"])
    kept = real_side if isinstance(real_side, FeatureSet) else None
    return FidMeasurement(result, extractor, kept)


def _require_groups(fake: ImageStream | StoredStatistics, groups: int) -> None:
    """Refuse a jackknife that the fake side does not allow, before features are extracted."""
    if not groups:
        return
    if isinstance(fake, StoredStatistics):
        raise UsageError(
            "a jackknife takes the features of the fake side, not their statistics: give the "
            "pictures, or leave --jackknife out"
        )
    if not 2 <= groups <= len(fake) // 2:
        raise UsageError(
            f"{fake.path}: {groups} jackknife groups (--jackknife) of "
            f"{counted(len(fake), 'image')}; expected 2 to half as many as there are images"
        )


def _side(
    side: ImageStream | StoredStatistics,
    extractor: FeatureExtractor | None,
    *,
    label: str,
    cache: StatisticsCache | None = None,
) -> FeatureSet | StoredStatistics:
    if isinstance(side, StoredStatistics):
        return side
    if extractor is None:
        raise UsageError(f"{side.path}: pictures take an extractor; give one")
    return extract_features(side, extractor, label=label, cache=cache)


def _numbers(side: FeatureSet | StoredStatistics) -> FeatureSet | Gaussian:
    return side.gaussian if isinstance(side, StoredStatistics) else side


def _network(
    real: ImageStream | StoredStatistics,
    fake: ImageStream | StoredStatistics,
    extractor: FeatureExtractor | None,
) -> tuple[str | None, list[str]]:
    """Return the network's name where it is known, and warnings of statistics that do not say."""
    known = None if extractor is None else extractor.identity
    unknown = []
    for name, side in (("real", real), ("fake", fake)):
        if not isinstance(side, StoredStatistics):
            continue
        if side.extractor is None:
            unknown.append(f"{name}: the statistics do not say which network gave the features")
        elif known not in (None, side.extractor):
            raise DataError(
                f"{name}: statistics of {side.extractor}; expected those of {known}: compute both "
                "sides with the same weights"
            )
        else:
            known = side.extractor
    return known, unknown
