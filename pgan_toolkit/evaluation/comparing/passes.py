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
from pgan_toolkit.evaluation.comparing.one_pass import (
    ONLOOKER,
    FeatureCollector,
    Share,
    feed_shares,
)
from pgan_toolkit.evaluation.comparing.onlookers import Onlooker
from pgan_toolkit.evaluation.comparing.parts import Parts, error_groups
from pgan_toolkit.evaluation.comparing.selecting import Choice, Tools
from pgan_toolkit.evaluation.extractors import FeatureExtractor
from pgan_toolkit.evaluation.feeding import feed
from pgan_toolkit.evaluation.measure_features import keep_features, known_features
from pgan_toolkit.evaluation.measure_swd import keep_patches, known_patches
from pgan_toolkit.evaluation.sorted_sides import known_sorted
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.accumulator import Statistics
from pgan_toolkit.metrics.descriptors import SwdSettings
from pgan_toolkit.metrics.features import FeatureSet
from pgan_toolkit.metrics.modes import DiscreteModes
from pgan_toolkit.metrics.ms_ssim import MsSsim
from pgan_toolkit.metrics.sorted_side import RowLayout, SortedSide
from pgan_toolkit.metrics.swd_statistics import SwdStatistics

__all__ = ["FakeSide", "Passes", "RealSide"]


@dataclass(eq=False, kw_only=True)
class RealSide:
    """What was taken from the real pictures; None of what no metric needs."""

    patches: SwdStatistics | None = None
    sorted_patches: SortedSide | None = None
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
    onlooker : Onlooker | None
        What looks at the pictures too; it was told of the sets.
    bootstrap : int
        Of the SWD, as `compare_swd`; 0: its standard error is over groups of images.
    engine : Engine | None
        Whose workers read the sets; None: this process does.
    """

    parts: Parts
    choice: Choice
    tools: Tools
    settings: SwdSettings
    device: torch.device
    cache: StatisticsCache | None
    onlooker: Onlooker | None = None
    bootstrap: int = 0
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
        looked = self.cache is not None and self._recall(found, metrics, self.cache)
        shares = []
        if "swd" in metrics and found.patches is None and found.sorted_patches is None:
            patches = partial(SwdStatistics, self.settings)
            found.patches = patches()
            part = self.parts.of("real", "swd")
            shares.append(Share("swd", patches, found.patches, part))
        if _need_features(metrics) and found.features is None:
            found.features = self._share_of_features(shares, self.parts.real, logits=False)
        if self.onlooker is not None and not looked:
            shares.append(self.onlooker.share("real"))
        if shares:
            # What the cache knows need not be read: the largest part holds all others.
            found.skipped = self._feed(_largest(shares), shares, "real")
        if self.cache is not None:
            self._keep(found, [s.name for s in shares if s.name not in found.skipped], self.cache)
        return found

    def read_real_patches(self) -> SwdStatistics:
        """Cut the real patches, where what was sorted of them turned out to be damaged.

        Raises
        ------
        DataError
            A picture cannot be read.
        """
        part, found = self.parts.of("real", "swd"), None
        if self.cache is not None:
            found = known_patches(part, self.settings, device=self.device, cache=self.cache)
        if found is None:
            found = SwdStatistics(self.settings)
            feed(part, found, label="real", device=self.device)
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
        if self.onlooker is not None:
            shares.append(self.onlooker.share("fake"))
        found.skipped = self._feed(self.parts.fake, shares, "fake")
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

    def _recall(self, found: RealSide, metrics: Sequence[str], cache: StatisticsCache) -> bool:
        """Take from the cache what it has; say whether that is all that the onlooker wants."""
        real = self.parts.real
        if metrics and any(cache.knows(self.parts.of("real", name).probe()) for name in metrics):
            self._identify()  # all pictures: each part then knows those of its own
        if "swd" in metrics:
            self._recall_patches(found, cache)
        if _need_features(metrics):
            found.features = known_features(real, self._extractor, cache=cache)
        return self.onlooker is not None and self.onlooker.recall(cache)

    def _recall_patches(self, found: RealSide, cache: StatisticsCache) -> None:
        part = self.parts.of("real", "swd")
        if self.sorts_on_cpu:
            found.sorted_patches = known_sorted(part, self.row_layout, cache=cache)
        if found.sorted_patches is None:
            found.patches = known_patches(part, self.settings, device=self.device, cache=cache)
        if found.sorted_patches is not None or found.patches is not None:
            self.parts.real.recall_sizes({part.size: len(self.parts.real)})

    @property
    def groups(self) -> int:
        """Into how many groups images are dealt out for errors of the SWD; 0: none."""
        return 0 if self.bootstrap else error_groups(len(self.parts.of("real", "swd")))

    @property
    def sorts_on_cpu(self) -> bool:
        """Whether what the SWD sorts can be had from the cache; a GPU sorts faster than a disk."""
        return self.device.type == "cpu" and not self.bootstrap

    @property
    def row_layout(self) -> RowLayout:
        """Of what the SWD sorts of the real side."""
        part = self.parts.of("real", "swd")
        return RowLayout(
            settings=self.settings, size=part.size, images=len(part), groups=self.groups
        )

    def _keep(self, found: RealSide, names: Sequence[str], cache: StatisticsCache) -> None:
        if "swd" in names and found.patches is not None:
            part = self.parts.of("real", "swd")
            keep_patches(part, found.patches, device=self.device, cache=cache)
        if "features" in names and found.features is not None:
            keep_features(self.parts.real, found.features, self._extractor, cache=cache)
        if ONLOOKER in names and self.onlooker is not None:
            self.onlooker.keep(cache)

    def _feed(self, stream: ImageStream, shares: list[Share], label: str) -> dict[str, str]:
        if self.engine is None or not can_be_divided(stream):
            return self._feed_here(stream, shares, label)
        left_out: dict[str, str] = {}
        if divided := [share for share in shares if share.fresh is not None]:
            left_out = feed_divided(
                stream,
                divided,
                engine=self.engine,
                required=self.choice.indispensable,
                label=label,
                device=self.device,
            )
        if own := [share for share in shares if share.fresh is None]:
            left_out |= self._feed_here(_largest(own), own, label)
        return left_out

    def _feed_here(self, stream: ImageStream, shares: list[Share], label: str) -> dict[str, str]:
        required = self.choice.indispensable
        return feed_shares(stream, shares, required=required, label=label, device=self.device)

    @property
    def _extractor(self) -> FeatureExtractor:
        if self.tools.extractor is None:
            raise RuntimeError("metrics that take features were chosen without their network")
        return self.tools.extractor


def _largest(shares: Sequence[Share]) -> ImageStream:
    """The part of a set that holds those of all shares: fewer pictures are always among more."""
    return max((share.part for share in shares), key=len)


def _need_features(metrics: Sequence[str]) -> bool:
    return any(METRICS[name].needs == "inception" for name in metrics)
