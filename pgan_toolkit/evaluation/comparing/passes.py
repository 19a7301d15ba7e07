"""The two passes of an evaluation: over the real pictures, and over the fake ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch

from pgan_toolkit.engines import Engine
from pgan_toolkit.evaluation.cache import StatisticsCache
from pgan_toolkit.evaluation.comparing.catalogue import METRICS
from pgan_toolkit.evaluation.comparing.divided_pass import (
    can_be_divided,
    feed_divided,
    identify_divided,
)
from pgan_toolkit.evaluation.comparing.one_pass import FeatureCollector, Share, feed_shares
from pgan_toolkit.evaluation.comparing.parts import Parts
from pgan_toolkit.evaluation.comparing.selecting import Choice, Tools
from pgan_toolkit.evaluation.extractors import FeatureExtractor
from pgan_toolkit.evaluation.measure_features import keep_features, known_features
from pgan_toolkit.evaluation.measure_swd import keep_patches, known_patches
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.accumulator import Statistics
from pgan_toolkit.metrics.descriptors import SwdSettings
from pgan_toolkit.metrics.features import FeatureSet
from pgan_toolkit.metrics.modes import DiscreteModes
from pgan_toolkit.metrics.ms_ssim import MsSsim
from pgan_toolkit.metrics.swd_statistics import SwdStatistics

__all__ = ["FakeSide", "Passes", "RealSide"]


@dataclass(eq=False, kw_only=True)
class RealSide:
    """What was taken from the real pictures; None of what no metric needs."""

    patches: SwdStatistics | None = None
    features: FeatureSet | None = None
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False, kw_only=True)
class FakeSide:
    """What was taken from the fake pictures; None of what no metric needs."""

    patches: SwdStatistics | None = None
    features: FeatureSet | None = None
    similarity: MsSsim | None = None
    modes: DiscreteModes | None = None
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Passes:
    """How both sides are read.

    Attributes
    ----------
    parts : Parts
        The sets.
    choice : Choice
        The metrics.
    tools : Tools
        The networks that these need.
    settings : SwdSettings
        Of the SWD.
    device : torch.device
        Where to compute.
    cache : StatisticsCache | None
        Of the real side.
    engine : Engine | None
        Whose workers read the sets; None: this process does.
    """

    parts: Parts
    choice: Choice
    tools: Tools
    settings: SwdSettings
    device: torch.device
    cache: StatisticsCache | None
    engine: Engine | None = None

    def read_real(self) -> RealSide:
        """Take what the metrics need from the cache, and the rest from one pass over the pictures.

        Raises
        ------
        DataError
            A picture cannot be read, or a metric that is required cannot take it.
        """
        metrics = [name for name in self.choice.metrics if "real" in METRICS[name].sides]
        found = RealSide()
        if self.cache is not None and metrics:
            self._identify()  # all pictures: each part then knows those of its own
            self._recall(found, metrics, self.cache)
        shares = []
        if "swd" in metrics and found.patches is None:
            patches = partial(SwdStatistics, self.settings)
            found.patches = patches()
            part = self.parts.of("real", "swd")
            shares.append(Share("swd", patches, found.patches, part))
        if _need_features(metrics) and found.features is None:
            found.features = self._share_of_features(shares, self.parts.real, logits=False)
        if shares:
            found.skipped = self._feed("real", shares)
        if self.cache is not None:
            self._keep(found, [s.name for s in shares if s.name not in found.skipped], self.cache)
        return found

    def read_fake(self) -> FakeSide:
        """Take what the metrics need from one pass over the pictures.

        Raises
        ------
        DataError
            A picture cannot be read, or a metric that is required cannot take it.
        """
        found = FakeSide()
        shares: list[Share] = []
        if "swd" in self.choice.metrics:
            patches = partial(SwdStatistics, self.settings, side="fake")
            found.patches = patches()
            shares.append(self._share("swd", patches, found.patches))
        if "ms-ssim" in self.choice.metrics:
            found.similarity = MsSsim()
            shares.append(self._share("ms-ssim", MsSsim, found.similarity))
        if self.tools.digits is not None:
            modes = partial(DiscreteModes, self.tools.digits)
            found.modes = modes()
            shares.append(self._share("modes", modes, found.modes))
        if _need_features(self.choice.metrics):
            logits = "inception-score" in self.choice.metrics
            found.features = self._share_of_features(shares, self.parts.fake, logits=logits)
        found.skipped = self._feed("fake", shares)
        return found

    def _identify(self) -> None:
        real = self.parts.real
        if self.engine is not None and can_be_divided(real):
            identify_divided(real, engine=self.engine)
        else:
            real.identities()

    def _share(self, metric: str, fresh: Callable[[], Statistics], statistics: Statistics) -> Share:
        return Share(metric, fresh, statistics, self.parts.of("fake", metric))

    def _share_of_features(
        self, shares: list[Share], stream: ImageStream, *, logits: bool
    ) -> FeatureSet:
        """Add a share that collects features; return what they are collected in."""
        fresh = partial(FeatureCollector, self._extractor, logits=logits)
        collector = fresh()
        shares.append(Share("features", fresh, collector, stream, one_size=False))
        return collector.collected

    def _recall(self, found: RealSide, metrics: Sequence[str], cache: StatisticsCache) -> None:
        real = self.parts.real
        if "swd" in metrics:
            part = self.parts.of("real", "swd")
            found.patches = known_patches(part, self.settings, cache=cache)
            if found.patches is not None:
                real.recall_sizes({part.size: len(real)})
        if _need_features(metrics):
            found.features = known_features(real, self._extractor, cache=cache)

    def _keep(self, found: RealSide, names: Sequence[str], cache: StatisticsCache) -> None:
        if "swd" in names and found.patches is not None:
            keep_patches(self.parts.of("real", "swd"), found.patches, cache=cache)
        if "features" in names and found.features is not None:
            keep_features(self.parts.real, found.features, self._extractor, cache=cache)

    def _feed(self, label: str, shares: list[Share]) -> dict[str, str]:
        stream = self.parts.real if label == "real" else self.parts.fake
        feed = feed_shares
        if self.engine is not None and can_be_divided(stream):
            feed = partial(feed_divided, engine=self.engine)
        return feed(stream, shares, required=self.choice.required, label=label, device=self.device)

    @property
    def _extractor(self) -> FeatureExtractor:
        if self.tools.extractor is None:
            raise RuntimeError("metrics that take features were chosen without their network")
        return self.tools.extractor


def _need_features(metrics: Sequence[str]) -> bool:
    return any(METRICS[name].needs == "inception" for name in metrics)
