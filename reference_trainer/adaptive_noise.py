"""How strong the noise in an LSGAN's discriminator is (appendix B)."""

import math

__all__ = ["AdaptiveNoise"]

_KEPT = 0.9
_HARMLESS = 0.5


class AdaptiveNoise:
    """Follows a signal of D, and gives the strength of the noise: gain max(0, d_t - 0.5)^2.

    d_t = 0.1 d + 0.9 d_(t-1), from 0. The nearer D's output comes to 1, the target for reals, the
    less stable an LSGAN is. What d is, `DiscriminatorSettings.noise_signal` says.

    Parameters
    ----------
    gain : float
        0.2 in the paper; 0: no noise.

    Attributes
    ----------
    average : float
        d_t: all there is to keep.
    """

    def __init__(self, gain: float) -> None:
        self.gain = gain
        self.average = 0.0

    @property
    def strength(self) -> float:
        """Standard deviation of the factors, about 1."""
        return self.gain * max(0.0, self.average - _HARMLESS) ** 2

    def follow(self, signal: float) -> None:
        """Take in the signal of one more step of D; of a step that failed (not finite), nothing."""
        if math.isfinite(signal):
            self.average = _KEPT * self.average + (1 - _KEPT) * signal
