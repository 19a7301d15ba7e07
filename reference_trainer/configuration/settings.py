"""Every setting of a run: frozen dataclasses that a preset fills and the run's folder keeps.

No two sections share the name of a setting, so that `--set total_kimg=2000` is enough. Files of
settings take each one's description from here, the Attributes sections.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pgan_toolkit.errors import UsageError
from reference_trainer.configuration.ranges import above_zero, at_least_one, at_most, within

__all__ = [
    "Architecture",
    "DataSettings",
    "DiscriminatorSettings",
    "GeneratorSettings",
    "LossSettings",
    "OptimizationSettings",
    "OutputSettings",
    "RunSettings",
    "ScheduleSettings",
]

Architecture = Literal["table2", "mnist-pooled", "mnist-strided"]

_MOST_MAPS = 1 << 27
"""Beyond, the bytes of a layer's weights cannot be counted in 64 bits."""
_MOST_PICTURES = 1 << 20
_MOST_KIMG = 1e300  # beyond, reals are no number


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """The real pictures.

    Attributes
    ----------
    resolution : int
        Side of the square pictures that the run ends with, pixels. The data may be larger by a
        power of two: they are then reduced by means.
    mirror : bool
        Show a random half of the reals mirrored.
    conditional : bool
        Learn the labels too (AC-GAN, as the authors' program has it).
    """

    resolution: int
    mirror: bool = True
    conditional: bool = False

    def __post_init__(self) -> None:
        if not 4 <= self.resolution <= 4096:
            raise UsageError(f"resolution={self.resolution}: expected 4 to 4096 pixels")


@dataclass(frozen=True, kw_only=True)
class GeneratorSettings:
    """The generator (G).

    Attributes
    ----------
    architecture : {"table2", "mnist-pooled", "mnist-strided"}
        Of both networks. Table 2 of the paper, whose blocks have two convolutions; or those of
        Table 4: "mnist-pooled" are the authors' (32x32 pixels, one 3x3 convolution and a 2x2 mean
        or replication a resolution), "mnist-strided" PacGAN's (28x28, strides of 2).
    latent_size : int
        Numbers in a latent vector.
    normalize_latents : bool
        Put latents on the unit hypersphere: divided by their root mean square.
    g_map_base, g_map_most : int
        Feature maps at a resolution: min(base / 2^(log2(resolution) - 1), most), as in the
        authors' program.
    g_normalization : {"pixel", "batch", "none"}
        After each convolution.
    g_activation : {"leaky_relu", "relu"}
        After each convolution, before the normalisation.
    output : {"linear", "tanh"}
        Of the last layer.
    weight_scaling : {"equalized", "he"}
        Of both networks: weights N(0, 1) scaled at run time, or He's initialisation alone.
    leak : float
        Slope of the leaky ReLU below 0, of both networks.
    """

    architecture: Architecture = "table2"
    latent_size: int = 512
    normalize_latents: bool = True
    g_map_base: int = 8192
    g_map_most: int = 512
    g_normalization: Literal["pixel", "batch", "none"] = "pixel"
    g_activation: Literal["leaky_relu", "relu"] = "leaky_relu"
    output: Literal["linear", "tanh"] = "linear"
    weight_scaling: Literal["equalized", "he"] = "equalized"
    leak: float = 0.2

    def __post_init__(self) -> None:
        at_least_one(self, "latent_size", "g_map_base", "g_map_most")
        at_most(self, _MOST_MAPS, "latent_size", "g_map_base", "g_map_most")
        within(self, "leak", 0, 1)


@dataclass(frozen=True, kw_only=True)
class DiscriminatorSettings:
    """The discriminator (D), called critic where its output is no probability.

    Attributes
    ----------
    d_map_base, d_map_most : int
        Feature maps at a resolution, as of G.
    d_normalization : {"none", "layer", "batch"}
        After each convolution.
    minibatch_statistic : {"stddev", "discrimination", "none"}
        What D is told of the minibatch: one map of the standard deviation (section 3), or
        minibatch discrimination (Salimans et al. 2016; 100 kernels of 5).
    stddev_group : int
        Pictures over which the standard deviation is, every so many apart; 0: the whole minibatch.
    noise : float
        Gain of the multiplicative Gaussian noise before each 3x3 and 4x4 convolution, whose
        strength is gain max(0, d - 0.5)^2 (appendix B); 0: no noise.
    noise_signal : {"output", "loss"}
        What d follows: the mean of D's output for reals, whose target is 1 (paper); or D's loss
        without equation 9's half, clipped to 0..1 (program).
    """

    d_map_base: int = 8192
    d_map_most: int = 512
    d_normalization: Literal["none", "layer", "batch"] = "none"
    minibatch_statistic: Literal["stddev", "discrimination", "none"] = "stddev"
    stddev_group: int = 4
    noise: float = 0.0
    noise_signal: Literal["output", "loss"] = "output"

    def __post_init__(self) -> None:
        at_least_one(self, "d_map_base", "d_map_most")
        at_most(self, _MOST_MAPS, "d_map_base", "d_map_most")
        within(self, "stddev_group", 0, math.inf)
        within(self, "noise", 0, math.inf)


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """What the networks learn from.

    Attributes
    ----------
    loss : {"wgan-gp", "lsgan", "gan"}
        Gulrajani et al. 2017, Mao et al. 2016, or Goodfellow et al. 2014 (non-saturating).
    penalty_weight : float
        Lambda of the gradient penalty, lambda / gamma^2 (||grad|| - gamma)^2; of wgan-gp only.
    penalty_target : float
        Gamma of the gradient penalty.
    drift : float
        Weight of the mean square of D's output for reals.
    fake_weight : float
        Of what D loses on fakes, beside what it loses on reals; of lsgan only.
    label_weight : float
        Of the cross-entropy of labels, where the run is conditional.
    """

    loss: Literal["wgan-gp", "lsgan", "gan"] = "wgan-gp"
    penalty_weight: float = 10.0
    penalty_target: float = 1.0
    drift: float = 0.001
    fake_weight: float = 1.0
    label_weight: float = 1.0

    def __post_init__(self) -> None:
        for name in ("penalty_weight", "drift", "fake_weight", "label_weight"):
            within(self, name, 0, math.inf)
        above_zero(self, "penalty_target")


@dataclass(frozen=True, kw_only=True)
class OptimizationSettings:
    """How the networks learn.

    Attributes
    ----------
    learning_rate : float
        Of Adam, of both networks.
    learning_rates : mapping of int to float
        The same from a resolution on, in its place: {128 = 0.0015}.
    beta1, beta2, epsilon : float
        Of Adam.
    rampup_kimg : float
        The learning rate rises from 0.0067 of itself, by exp(-5 (1 - t)^2), while so many thousand
        reals are shown (the program).
    discriminator_steps : int
        Steps of D for one of G.
    joint_update : bool
        Update G and D together, on the same fakes (the program for CIFAR-10).
    ema_decay : float
        Of the moving average of G's weights, a step of G.
    microbatch_size : int
        Pictures a GPU works on at once, where the minibatch has more: gradients are accumulated.
        0: no limit. Statistics of the minibatch are then those of the microbatch; one that would
        be of a single picture is refused.
    precision : {"auto", "float32", "tf32", "bfloat16"}
        Of convolutions. "auto": tf32 where CUDA has it, else float32.
    """

    learning_rate: float = 0.001
    learning_rates: Mapping[int, float] = field(default_factory=dict)
    beta1: float = 0.0
    beta2: float = 0.99
    epsilon: float = 1e-8
    rampup_kimg: float = 0.0
    discriminator_steps: int = 1
    joint_update: bool = False
    ema_decay: float = 0.999
    microbatch_size: int = 0
    precision: Literal["auto", "float32", "tf32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        above_zero(self, "learning_rate", "epsilon")
        for resolution, rate in self.learning_rates.items():
            if not 0 < rate < math.inf:
                raise UsageError(f"learning_rates: {rate} at {resolution}: expected more than 0")
        at_least_one(self, "discriminator_steps")
        for name in ("beta1", "beta2", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)}: expected 0 or more, below 1")
        for name in ("rampup_kimg", "microbatch_size"):
            within(self, name, 0, math.inf)
        if self.joint_update and self.discriminator_steps != 1:
            raise UsageError("joint_update=true: expected discriminator_steps=1")


@dataclass(frozen=True, kw_only=True)
class ScheduleSettings:
    """When what is trained. One kimg is a thousand real pictures shown to D.

    Attributes
    ----------
    total_kimg : float
        How long the run is.
    growing : bool
        Begin at `first_resolution` and add a resolution at a time; otherwise all are there at once.
    first_resolution : int
        Side of the pictures that a growing run begins with, pixels.
    stable_kimg, fade_kimg : float
        Of each resolution: so long without change, then so long fading the next one in.
    reset_adam : bool
        Forget Adam's moments at the start and at the end of each fade (the program).
    minibatch_size : int
        Reals a step, over all GPUs.
    minibatch_sizes : mapping of int to int
        The same at these resolutions, in its place: {512 = 6, 1024 = 3}.
    """

    total_kimg: float
    growing: bool = True
    first_resolution: int = 4
    stable_kimg: float = 800.0
    fade_kimg: float = 800.0
    reset_adam: bool = True
    minibatch_size: int = 16
    minibatch_sizes: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        above_zero(self, "total_kimg")
        at_least_one(self, "minibatch_size")
        at_most(self, _MOST_PICTURES, "minibatch_size")
        at_most(self, _MOST_KIMG, "total_kimg")
        for name in ("stable_kimg", "fade_kimg"):
            within(self, name, 0, math.inf)
        if self.growing and not self.stable_kimg + self.fade_kimg > 0:
            raise UsageError("stable_kimg=0 and fade_kimg=0: expected one of them above 0")
        for resolution, size in self.minibatch_sizes.items():
            expected = "1 or more" if size < 1 else f"{_MOST_PICTURES:,} or less"
            if not 1 <= size <= _MOST_PICTURES:
                raise UsageError(f"minibatch_sizes: {size} at {resolution}: expected {expected}")


@dataclass(frozen=True, kw_only=True)
class OutputSettings:
    """What a run writes, and how often. None of it changes what is learnt.

    Attributes
    ----------
    tick_kimg : float
        Thousand reals between two lines of the log.
    checkpoint_kimg : float
        Thousand reals between two checkpoints.
    keep_checkpoints : int
        The last so many stay, beside the one of the lowest SWD.
    picture_kimg : float
        Thousand reals between two grids of fakes.
    grid : str
        Columns and rows of a grid: "8x4".
    metrics_kimg : float
        Thousand reals between two measurements; 0: none.
    metrics_images : int
        Fakes, and reals, of a measurement.
    metrics : tuple of {"swd", "ms-ssim", "modes"}
        What is measured.
    """

    tick_kimg: float = 10.0
    checkpoint_kimg: float = 100.0
    keep_checkpoints: int = 3
    picture_kimg: float = 50.0
    grid: str = "8x4"
    metrics_kimg: float = 400.0
    metrics_images: int = 4096
    metrics: tuple[Literal["swd", "ms-ssim", "modes"], ...] = ("swd", "ms-ssim")

    def __post_init__(self) -> None:
        above_zero(self, "tick_kimg", "checkpoint_kimg", "picture_kimg")
        within(self, "metrics_kimg", 0, math.inf)
        at_least_one(self, "keep_checkpoints")
        within(self, "metrics_images", 2, math.inf)
        if not re.fullmatch(r"[1-9][0-9]*x[1-9][0-9]*", self.grid):
            raise UsageError(f'grid={self.grid}: expected columns and rows, such as "8x4"')
        if len(set(self.metrics)) < len(self.metrics):
            raise UsageError(f"metrics={list(self.metrics)}: expected each once")


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """A whole run; with the pictures, all that decides what it learns.

    Attributes
    ----------
    preset : str
        The name of the preset that it began with.
    gpus : int
        GPUs that the preset's minibatch sizes are meant for; any other number works too.
    seed : int
        Of the first weights, the order of the reals, latents and noise.
    data, generator, discriminator, loss, optimization, schedule, output
        The sections.

    Raises
    ------
    UsageError
        Sections do not fit each other.
    """

    preset: str
    gpus: int = 1
    seed: int = 0
    data: DataSettings
    generator: GeneratorSettings = field(default_factory=GeneratorSettings)
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    optimization: OptimizationSettings = field(default_factory=OptimizationSettings)
    schedule: ScheduleSettings
    output: OutputSettings = field(default_factory=OutputSettings)

    def __post_init__(self) -> None:
        at_least_one(self, "gpus")
        within(self, "seed", 0, math.inf)
        if not self.preset or not self.preset.isprintable():
            raise UsageError(f"preset={self.preset!r}: expected a name of printable characters")
        self._check_growth()
        self._check_tables()
        self._check_architecture()

    def _check_growth(self) -> None:
        resolution, first = self.data.resolution, self.schedule.first_resolution
        if self.generator.architecture == "mnist-strided":
            if self.schedule.growing or resolution != 28:
                raise UsageError(
                    "architecture=mnist-strided: expected resolution=28 and growing=false"
                )
            return
        if resolution & (resolution - 1):
            raise UsageError(f"resolution={resolution}: expected a power of two, 4 or more")
        if first & (first - 1) or not 4 <= first <= resolution:
            raise UsageError(
                f"first_resolution={first}: expected a power of two, 4 to {resolution}"
            )

    def _check_tables(self) -> None:
        for name, table in (
            ("learning_rates", self.optimization.learning_rates),
            ("minibatch_sizes", self.schedule.minibatch_sizes),
        ):
            for key in table:
                power_of_two = 4 <= key <= 4096 and not key & (key - 1)
                if not power_of_two and key != self.data.resolution:
                    raise UsageError(f"{name}: {key}: expected a resolution, a power of two from 4")

    def _check_architecture(self) -> None:
        if self.data.conditional and self.generator.architecture != "table2":
            raise UsageError("conditional=true: expected architecture=table2")
        if self.discriminator.noise and self.loss.loss != "lsgan":
            raise UsageError(f"noise={self.discriminator.noise}: expected loss=lsgan, or noise=0")
