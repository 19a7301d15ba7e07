"""What a training run is asked to do, and the presets."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

from pgan_toolkit.errors import UsageError
from pgan_toolkit.restoration.networks import DiscriminatorConfig, RedNetConfig, SRResNetConfig
from pgan_toolkit.restoration.training.degradation import JpegDegradation, SuperresDegradation
from pgan_toolkit.restoration.weights import Task

__all__ = [
    "PRESETS",
    "ROUGH_FLOOR_LEVELS",
    "AdversarialSettings",
    "JointSettings",
    "TrainingSettings",
    "preset",
]


_SMALLEST_CROP_PX = 16  # two of JPEG's blocks
_FLOOR_LEVELS_JPEG = 0.5  # pictures of quality 98 are to come through within a level
ROUGH_FLOOR_LEVELS = 8.0
"""Of a network's first steps: about the error of quality 10."""

_REDUCED_TO_JPEG = 0.25  # faces fill a quarter of a photograph's side, and show finer detail


@dataclass(frozen=True)
class AdversarialSettings:
    """The terms of the adversarial stage, which follows one for fidelity.

    Attributes
    ----------
    discriminator : DiscriminatorConfig
        Its size.
    learning_rate : float
        Of the discriminator's Adam.
    pixel_weight : float
        Of the mean absolute difference of pixels, 0..1.
    feature_weight : float
        Of the mean absolute difference of the discriminator's features of the restored and the
        real picture (feature matching, Wang et al., pix2pixHD, CVPR 2018): needs no other network.
    adversarial_weight : float
        Of the hinge loss.
    alone_steps : int
        Steps in which the discriminator learns alone, before the network's first; a run must have
        more.
    blend : float
        Share of this stage in the weights that a run gives, 0 to 1; the rest is of those that it
        began from (network interpolation, Wang et al., ESRGAN, 2018): less of it, fewer invented
        patterns.
    """

    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    learning_rate: float = 4e-4
    pixel_weight: float = 1.0
    feature_weight: float = 1.0
    adversarial_weight: float = 0.02
    alone_steps: int = 100
    blend: float = 0.5


@dataclass(frozen=True)
class JointSettings:
    """What the JPEG net learns beside, while it learns with the enlarging net behind it.

    Attributes
    ----------
    degradation : JpegDegradation
        Of its own task.
    crop_px : int
        Side of a clean crop of its own task.
    reduced_to, floor_levels : float
        Of its own task, as in `TrainingSettings`.
    weight : float
        Of the error in its own task, beside that of the enlarged picture.
    """

    degradation: JpegDegradation = field(default_factory=JpegDegradation)
    crop_px: int = 96
    reduced_to: float = _REDUCED_TO_JPEG
    floor_levels: float = _FLOOR_LEVELS_JPEG
    weight: float = 0.5


@dataclass(frozen=True)
class TrainingSettings:
    """The settings of one run; with the pictures, they decide every number of it.

    Attributes
    ----------
    task : "jpeg" or "superres"
        What the network learns.
    network : RedNetConfig or SRResNetConfig
        Its size; of the kind that the task takes.
    degradation : JpegDegradation or SuperresDegradation
        What is done to the clean pictures.
    adversarial : AdversarialSettings | None
        The terms of the adversarial stage; None for the stage of fidelity, which maximises the
        PSNR of each crop alone.
    joint : JointSettings | None
        The JPEG net of `behind` learns too; None if it stays as it is.
    floor_levels : float
        Of fidelity: a crop whose root mean square error is well below this, in grey levels, is
        good enough; without a floor the easiest crops would count most.
    reduced_to : float
        Half of the crops are taken from the picture reduced to between this and its whole size.
    steps : int
        Steps of the whole schedule: the learning rate falls to 0 along a half cosine.
    minibatch_size : int
        Crops a step.
    crop_px : int
        Side of a clean crop.
    learning_rate : float
        The highest, of Adam (0.9, 0.99).
    warmup_steps : int
        Steps in which the learning rate rises to it.
    rough_steps : int
        First steps of a fresh RedNet, in which the floor is `ROUGH_FLOOR_LEVELS` at least and
        it does not shrink small changes: it would never begin to make large ones, as all that
        it learns first does harm to crops that are clean.
    ema_halflife_steps : float
        Of the moving average of the weights, which is what a run gives.
    max_gradient_norm : float
        Longer gradients are shortened to it.
    seed : int
        Of crops, degradations and initial weights.
    init : Path | None
        Weights to begin from; None for random ones. Those of a network of fewer maps are widened.
    behind : Path | None
        Weights of a JPEG net that a superres net stands behind in use: what it gets in training
        goes through that one first.

    Raises
    ------
    UsageError
        A value is out of its range, or does not go with another.
    """

    task: Task
    network: RedNetConfig | SRResNetConfig
    degradation: JpegDegradation | SuperresDegradation
    adversarial: AdversarialSettings | None = None
    joint: JointSettings | None = None
    floor_levels: float = 2.0
    reduced_to: float = 0.5
    steps: int = 300_000
    minibatch_size: int = 16
    crop_px: int = 96
    learning_rate: float = 5e-4
    warmup_steps: int = 200
    rough_steps: int = 1000
    ema_halflife_steps: float = 300.0
    max_gradient_norm: float = 1.0
    seed: int = 0
    init: Path | None = None
    behind: Path | None = None

    def __post_init__(self) -> None:
        expected = RedNetConfig if self.task == "jpeg" else SRResNetConfig
        if not isinstance(self.network, expected):
            raise UsageError(f"task {self.task}: expected a network of {expected.__name__}")
        scale = self.network.scale if isinstance(self.network, SRResNetConfig) else 1
        least = max(2 * scale, _SMALLEST_CROP_PX)
        if self.crop_px % scale or self.crop_px < least:
            raise UsageError(
                f"crop_px={self.crop_px}: expected a multiple of {scale}, {least} or more"
            )
        self._check_stage()
        if not 0 < self.reduced_to <= 1:
            raise UsageError(f"reduced_to={self.reduced_to}: expected above 0, at most 1")
        if not 0 < self.floor_levels < math.inf:
            raise UsageError(f"floor_levels={self.floor_levels}: expected a number above 0")
        for name in ("steps", "minibatch_size"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)}: expected 1 or more")
        if not 0 < self.learning_rate < math.inf:
            raise UsageError(f"learning_rate={self.learning_rate}: expected a number above 0")

    def _check_stage(self) -> None:
        """See that what learns, and against what, goes together."""
        if self.behind is not None and self.task == "jpeg":
            raise UsageError("--behind is for superres; the JPEG net comes first")
        if self.joint is not None and (self.behind is None or self.adversarial is not None):
            raise UsageError(
                "--jointly lets the JPEG net of --behind learn for fidelity: name one, and leave "
                "--adversarial for the run after it"
            )
        if self.adversarial is not None and self.steps <= self.adversarial.alone_steps:
            raise UsageError(
                f"steps={self.steps}: expected more than "
                f"alone_steps={self.adversarial.alone_steps}, in which the discriminator learns "
                "alone; add --steps"
            )


PRESETS = ("smoke", "cpu", "gpu")
"""smoke: seconds, to see that all works; cpu: hours on a few cores; gpu: a day on one GPU."""


def preset(name: str, *, task: Task, adversarial: bool = False) -> TrainingSettings:
    """Return the settings of a preset.

    Parameters
    ----------
    name : str
        One of `PRESETS`.
    task : "jpeg" or "superres"
        What the network learns.
    adversarial : bool
        The second stage of superres, which begins from weights of the first.

    Raises
    ------
    UsageError
        An unknown name, or an adversarial stage for jpeg.
    """
    if name not in PRESETS:
        raise UsageError(f"no preset is called {name!r}; there is: {', '.join(PRESETS)}")
    if task == "jpeg":
        if adversarial:
            raise UsageError("--adversarial is for superres; the JPEG net has no such stage")
        return _jpeg(name)
    return _adversarial(name) if adversarial else _superres(name)


def _jpeg(name: str) -> TrainingSettings:
    smoke, gpu = name == "smoke", name == "gpu"
    return TrainingSettings(
        task="jpeg",
        network=RedNetConfig(layers=2, maps=8) if smoke else RedNetConfig(),
        degradation=JpegDegradation(),
        floor_levels=_FLOOR_LEVELS_JPEG,
        reduced_to=_REDUCED_TO_JPEG,
        steps=20 if smoke else 400_000 if gpu else 13_000,
        minibatch_size=2 if smoke else 32 if gpu else 16,
        crop_px=32 if smoke else 128 if gpu else 96,
        warmup_steps=5 if smoke else 200,
        rough_steps=10 if smoke else 1000,
    )


def _superres(name: str) -> TrainingSettings:
    smoke, gpu = name == "smoke", name == "gpu"
    return TrainingSettings(
        task="superres",
        network=SRResNetConfig(blocks=1, maps=8) if smoke else SRResNetConfig(),
        degradation=SuperresDegradation(),
        steps=20 if smoke else 400_000 if gpu else 12_000,
        minibatch_size=2 if smoke else 32 if gpu else 16,
        crop_px=32 if smoke else 192 if gpu else 160,
        warmup_steps=5 if smoke else 200,
    )


def _adversarial(name: str) -> TrainingSettings:
    smoke, gpu = name == "smoke", name == "gpu"
    judge = DiscriminatorConfig(maps=8, halvings=2) if smoke else DiscriminatorConfig(maps=16)
    if gpu:
        judge = DiscriminatorConfig()
    return replace(
        _superres(name),
        degradation=SuperresDegradation(real_share=0.5),
        adversarial=AdversarialSettings(discriminator=judge, alone_steps=5 if smoke else 100),
        steps=20 if smoke else 100_000 if gpu else 1500,
        minibatch_size=2 if smoke else 16 if gpu else 8,
        crop_px=32 if smoke else 192 if gpu else 128,
        learning_rate=1e-4,
        ema_halflife_steps=100.0,
    )
