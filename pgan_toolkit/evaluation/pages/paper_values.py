"""Numbers of Karras et al. (2018), for orientation: of other data than the user's."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["PaperValue", "paper_values"]

_CELEBA = "CelebA 128x128, best configuration (Table 1 h)"
_CELEBA_START = "CelebA 128x128, the starting point (Table 1 a)"
_LSUN = "LSUN bedroom 128x128, best configuration (Table 1 h)"
_HQ = "CelebA-HQ 1024x1024"
_DIGITS = "MNIST of 1,000 modes, discriminator of K/{} (Table 4, best)"


class PaperValue(NamedTuple):
    """A published number: of which score, its value, and what it was measured on."""

    score: str
    value: float
    data: str


def _swd(data: str, heights: Sequence[int], values: Sequence[float]) -> list[PaperValue]:
    levels = [PaperValue(f"swd.{h}", v, data) for h, v in zip(heights, values, strict=False)]
    return [PaperValue("swd.avg", values[-1], data), *levels]


_AT_128 = (128, 64, 32, 16)
_AT_1024 = (1024, 512, 256, 128, 64, 32, 16)
_VALUES = (
    *_swd(_CELEBA, _AT_128, (2.42, 2.17, 2.24, 4.99, 2.96)),
    *_swd(_CELEBA_START, _AT_128, (12.99, 7.79, 7.62, 8.73, 9.28)),
    *_swd(_LSUN, _AT_128, (3.47, 2.60, 2.30, 4.87, 3.31)),
    *_swd(_HQ, _AT_1024, (7.48, 7.24, 6.08, 3.51, 3.55, 3.02, 7.22, 5.44)),
    PaperValue("ms-ssim", 0.2828, _CELEBA),
    PaperValue("ms-ssim", 0.0636, _LSUN),
    PaperValue("fid", 7.30, _HQ),
    PaperValue("inception-score", 8.80, "CIFAR-10, best of the runs"),
    PaperValue("modes.count", 881.3, _DIGITS.format(4)),
    PaperValue("modes.count", 919.8, _DIGITS.format(2)),
    PaperValue("modes.kl", 1.05, _DIGITS.format(4)),
    PaperValue("modes.kl", 0.82, _DIGITS.format(2)),
)


def paper_values(scores: Mapping[str, object]) -> tuple[PaperValue, ...]:
    """Return the published values of the scores of these names, in their order."""
    return tuple(value for name in scores for value in _VALUES if value.score == name)
