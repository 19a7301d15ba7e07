"""What a training of the classifier of digits is set to."""

import math
from dataclasses import dataclass, field

from pgan_toolkit.errors import UsageError
from pgan_toolkit.evaluation.digits.distortion import Distortion
from pgan_toolkit.metrics.networks.digits import DigitNetConfig

__all__ = ["DigitTraining"]


@dataclass(frozen=True, kw_only=True)
class DigitTraining:
    """Settings of a run.

    Attributes
    ----------
    epochs : int
        Times that each digit is seen, distorted anew each time.
    minibatch_size : int
        Digits a step.
    learning_rate : float
        The highest, after a tenth of the steps; it rises to it from 0 and falls back as a cosine.
    momentum, weight_decay : float
        Of stochastic gradient descent, with Nesterov's momentum.
    label_smoothing : float
        Share of the target that is spread over all ten classes.
    dropout : float
        Share of the last features that a step leaves out.
    ema_decay : float
        Of the running mean of weights, a step; that mean is the result.
    validation : int
        Of the training digits, the last so many are kept out, and the log says how well they are
        told apart. Decisions are for them; the test digits are only reported on.
    seed : int
        Of the first weights, the order and the distortions.
    network : DigitNetConfig
        What is trained.
    distortion : Distortion
        What is done to the digits.

    Raises
    ------
    UsageError
        A value is out of its range.
    """

    epochs: int = 24
    minibatch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    dropout: float = 0.3
    ema_decay: float = 0.998
    validation: int = 5000
    seed: int = 0
    network: DigitNetConfig = field(default_factory=DigitNetConfig)
    distortion: Distortion = field(default_factory=Distortion)

    def __post_init__(self) -> None:
        for name in ("epochs", "minibatch_size"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)}: expected 1 or more")
        for name in ("validation", "seed"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name}={getattr(self, name)}: expected 0 or more")
        for name in ("momentum", "weight_decay", "label_smoothing", "dropout", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)}: expected 0 or more, below 1")
        if not 0 < self.learning_rate < math.inf:
            raise UsageError(f"learning_rate={self.learning_rate}: expected a number above 0")
