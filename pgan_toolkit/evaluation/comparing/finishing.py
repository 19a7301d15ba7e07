"""What each metric makes of what both passes took from the pictures."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

from pgan_toolkit.evaluation.comparing.catalogue import METRICS
from pgan_toolkit.evaluation.comparing.outcomes import Measured
from pgan_toolkit.evaluation.comparing.parts import Parts, deviations, error_groups
from pgan_toolkit.evaluation.comparing.passes import FakeSide, Passes, RealSide
from pgan_toolkit.evaluation.content import set_digest
from pgan_toolkit.evaluation.measure_features import noted
from pgan_toolkit.evaluation.memory import enough_memory
from pgan_toolkit.evaluation.protocol import about_sets, naming, pair_warnings
from pgan_toolkit.evaluation.sorted_sides import keeping_sorted
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.metrics.features import Features, FeatureSet
from pgan_toolkit.metrics.frechet import frechet_distance
from pgan_toolkit.metrics.inception_score import inception_score
from pgan_toolkit.metrics.kid import kernel_distance
from pgan_toolkit.metrics.manifold import precision_recall
from pgan_toolkit.metrics.result import Result
from pgan_toolkit.metrics.sorted_side import DamagedRowsError, KeepRow
from pgan_toolkit.metrics.swd_comparison import compare_swd

__all__ = ["Finishing"]

Value = TypeVar("Value")


@dataclass(frozen=True, eq=False, kw_only=True)
class Finishing:
    """The end of an evaluation: the same numbers as each metric gives when it is measured alone.

    The standard errors of SWD and FID are over the choice of images, by groups of them: those over
    directions alone are several times too small to compare two sets of samples with.

    Attributes
    ----------
    passes : Passes
        How the sides were read.
    real : RealSide
    fake : FakeSide
    """

    passes: Passes
    real: RealSide
    fake: FakeSide

    def measure(self, metric: str) -> Measured:
        """Return what a metric of `METRICS` found.

        Raises
        ------
        DataError
            It refuses the sets: too few images, say.
        SetupError
            The memory of the device does not suffice.
        """
        finish: dict[str, Callable[[], Result]] = {
            "swd": self._swd,
            "ms-ssim": self._ms_ssim,
            "fid": lambda: self._of_features("fid", self._fid),
            "kid": lambda: self._of_features("kid", self._kid),
            "precision-recall": lambda: self._of_features("precision-recall", precision_recall),
            "inception-score": self._inception_score,
            "modes": self._modes,
        }
        return self._measured(finish[metric]())

    @property
    def _parts(self) -> Parts:
        return self.passes.parts

    def _swd(self) -> Result:
        (real, fake), unequal = self._parts.swd()
        with enough_memory(self.passes.device), naming(real, fake):
            try:
                result = self._compared(real)
            except DamagedRowsError:
                self.real.sorted_patches = None
                self.real.patches = self.passes.read_real_patches()
                result = self._compared(real)
        if not self.passes.groups and not self.passes.bootstrap:
            # What is left is an error over directions, which says nothing of other samples.
            result = replace(
                result, standard_error=None, component_errors={}, uncertainty="", repeats={}
            )
        result = about_sets(result.warned(*unequal), real, fake)
        return result.warned(*pair_warnings(real, fake))

    def _compared(self, real: ImageStream) -> Result:
        side = self.real.sorted_patches
        with self._keeping(real) as keep:
            return compare_swd(
                _there(self.real.patches) if side is None else side,
                _there(self.fake.patches),
                bootstrap=self.passes.bootstrap,
                groups=self.passes.groups,
                device=self.passes.device,
                keep=keep,
            )

    @contextmanager
    def _keeping(self, real: ImageStream) -> Iterator[KeepRow | None]:
        """Give what keeps the sorted real side for the next evaluation, where that is wanted."""
        cache, patches = self.passes.cache, self.real.patches
        if cache is None or patches is None or not self.passes.sorts_on_cpu:
            yield None
            return
        with keeping_sorted(real, patches, self.passes.row_layout, cache=cache) as keep:
            yield keep

    def _ms_ssim(self) -> Result:
        part = self._parts.of("fake", "ms-ssim")
        with enough_memory(self.passes.device), naming(part):
            return about_sets(_there(self.fake.similarity).compute(), part)

    def _modes(self) -> Result:
        return about_sets(_there(self.fake.modes).compute(), self._parts.of("fake", "modes"))

    def _fid(self, real: Features, fake: Features) -> Result:
        seed = self.passes.settings.seed
        return frechet_distance(real, fake, jackknife_groups=error_groups(len(fake)), seed=seed)

    def _kid(self, real: Features, fake: Features) -> Result:
        return kernel_distance(real, fake, seed=self.passes.settings.seed)

    def _of_features(self, metric: str, compare: Callable[[Features, Features], Result]) -> Result:
        real, fake = self._parts.of("real", metric), self._parts.of("fake", metric)
        with naming(real, fake):
            result = compare(
                _rows(_features(self.real.features), self._parts.real, real),
                _rows(_features(self.fake.features), self._parts.fake, fake),
            )
        return noted(result, _there(self.passes.tools.extractor), real=real, fake=fake)

    def _inception_score(self) -> Result:
        fake = self._parts.of("fake", "inception-score")
        with naming(fake):
            logits = _there(self.fake.features).logits()
            result = inception_score(_rows(logits, self._parts.fake, fake))
        return noted(result, _there(self.passes.tools.extractor), fake=fake)

    def _measured(self, result: Result) -> Measured:
        drawn = {"settings": asdict(self.passes.settings), "bootstrap": self.passes.bootstrap}
        return Measured(
            result=result,
            deviations=deviations(
                result, images=self._parts.images, extractor=self.passes.tools.extractor
            ),
            pictures={
                side: set_digest(self._parts.of(side, result.metric).identities())
                for side in METRICS[result.metric].sides
            },
            draws=json.dumps(drawn, sort_keys=True) if result.metric == "swd" else "",
        )


def _there(value: Value | None) -> Value:
    """What a pass took, which it does for every metric that was chosen."""
    if value is None:
        raise RuntimeError("a metric is finished that was not fed")
    return value


def _features(collected: FeatureSet | None) -> Features:
    return _there(collected).features()


def _rows(rows: Features, stream: ImageStream, part: ImageStream) -> Features:
    """Return those rows, one a picture of `stream`, that are of pictures of `part`."""
    if len(part) == len(stream):
        return rows
    wanted = frozenset(part.indices)
    return rows[[index in wanted for index in stream.indices]]
