"""Which metrics are measured: those that were asked for, or all that can run here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.evaluation.comparing.catalogue import METRICS, require_metric
from pgan_toolkit.evaluation.comparing.parts import Parts
from pgan_toolkit.evaluation.digits import bundled_classifier
from pgan_toolkit.evaluation.extractors import INCEPTION, FeatureExtractor, open_extractor
from pgan_toolkit.evaluation.protocol import naming, require_one_size, require_several
from pgan_toolkit.evaluation.streams import ImageStream
from pgan_toolkit.evaluation.weight_files import WEIGHTS_VARIABLE, find_weights, public_file
from pgan_toolkit.metrics.descriptors import swd_levels
from pgan_toolkit.metrics.modes import ChannelClassifier, check_digit_size
from pgan_toolkit.metrics.structural_similarity import check_size
from pgan_toolkit.progress import ProgressMode

__all__ = ["Choice", "Tools", "choose_metrics", "open_tools", "that_take_the_sets"]

_NO_WEIGHTS = "the weights of the Inception network are not at hand"
_REMEDY = "name the metric, and they are downloaded (96 MB); or give --weights"


@dataclass(frozen=True)
class Choice:
    """Metrics to be measured.

    Attributes
    ----------
    metrics : tuple of str
        In the order of `METRICS`.
    required : frozenset of str
        Those that were asked for, whose failure is an error. The others are skipped with a reason.
    """

    metrics: tuple[str, ...]
    required: frozenset[str]

    @property
    def indispensable(self) -> frozenset[str]:
        """Those that cannot be skipped: what is required, and a metric that alone is left."""
        return self.required.union(self.metrics if len(self.metrics) == 1 else ())

    def without(self, skipped: Iterable[str]) -> "Choice":
        """Return the same choice without some metrics."""
        left = set(skipped)
        return Choice(tuple(name for name in self.metrics if name not in left), self.required)

    def needing(self, what: str) -> tuple[str, ...]:
        """Return those that need "pixels", "inception" or "digits"."""
        return tuple(name for name in self.metrics if METRICS[name].needs == what)


@dataclass(frozen=True)
class Tools:
    """Networks that metrics look with; None where no metric needs one."""

    extractor: FeatureExtractor | None = None
    digits: ChannelClassifier | None = None


def choose_metrics(named: Sequence[str] | None, *, judged: Iterable[str] = ()) -> Choice:
    """Return what is measured.

    Parameters
    ----------
    named : sequence of str | None
        What was asked for; None: all that are measured by default, and those that are judged.
    judged : iterable of str
        Metrics that thresholds are about: these are required.

    Raises
    ------
    UsageError
        There is no such metric, none is named, or one is judged that is not among those named.
    """
    wanted = frozenset(judged)
    if named is None:
        default = {name for name, kind in METRICS.items() if kind.by_default}
        return Choice(tuple(name for name in METRICS if name in default | wanted), wanted)
    for name in named:
        require_metric(name)
    if not named:
        raise UsageError("metrics: none; name one or more, or leave the setting out for all")
    if missing := sorted(wanted - set(named)):
        raise UsageError(
            f"{', '.join(missing)}: judged by a threshold, but not among the metrics "
            f"{', '.join(named)}; add it to them"
        )
    return Choice(tuple(name for name in METRICS if name in named), frozenset(named))


def that_take_the_sets(choice: Choice, parts: Parts) -> tuple[Choice, dict[str, str]]:
    """Leave out metrics that cannot take so few pictures, or of such sizes, and say why.

    Raises
    ------
    DataError
        One that is required cannot.
    """
    skipped = {}
    for name in choice.metrics:
        try:
            _check_numbers(name, parts)
            _check_sizes(name, parts.real, parts.fake)
        except DataError as error:
            if name in choice.required:
                raise
            skipped[name] = str(error)
    return choice.without(skipped), skipped


def _check_numbers(name: str, parts: Parts) -> None:
    kind = METRICS[name]
    for side in kind.sides:
        require_several(parts.of(side, name), fewest=kind.fewest, why=f"{name} takes")


def _check_sizes(name: str, real: ImageStream, fake: ImageStream) -> None:
    if name == "swd":
        require_one_size([real, fake])
        with naming(real, fake):
            swd_levels(*real.size)
    elif name in ("ms-ssim", "modes"):
        with naming(fake):
            if name == "modes":
                check_digit_size(*fake.size)
            else:
                check_size(*fake.size, convention="paper")


def open_tools(
    choice: Choice, *, weights: Path | None, device: torch.device, mode: ProgressMode
) -> tuple[Tools, Choice, dict[str, str]]:
    """Open the networks that are needed; leave out metrics whose weights are not at hand.

    Weights are downloaded for metrics that are required, not for others.

    Parameters
    ----------
    choice : Choice
        What is to be measured.
    weights : Path | None
        Of Inception; None: the public file.
    device : torch.device
        Where they compute.
    mode : {"auto", "quiet"}
        How a download is shown.

    Returns
    -------
    Tools
    Choice
        What can be measured.
    dict of str to str
        Metric -> why it is left out.

    Raises
    ------
    SetupError, DataError, UsageError
        As `open_extractor`.
    """
    digits = bundled_classifier(device) if choice.needing("digits") else None
    looking = choice.needing("inception")
    if not looking:
        return Tools(digits=digits), choice, {}
    required = not choice.required.isdisjoint(looking)
    if not required:
        try:
            find_weights(public_file(INCEPTION), weights=weights, download=False)
        except SetupError as error:
            # A variable that names no folder stops a download too: that is then what to mend.
            wrong = str(error).startswith(WEIGHTS_VARIABLE)
            why = f"{_NO_WEIGHTS}: {error if wrong else _REMEDY}"
            return Tools(digits=digits), choice.without(looking), dict.fromkeys(looking, why)
    extractor = open_extractor(INCEPTION, weights=weights, device=device, progress=mode)
    return Tools(extractor, digits), choice, {}
