"""What is wrong with the fake pictures, in sentences, by rules that the page states.

A rule finds something where the difference is both large enough to matter and beyond chance: more
than four standard errors over the pictures that were looked at. None of it needs a network.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, hypergeom, norm

from pgan_toolkit.evaluation.pages.likeness import Likeness
from pgan_toolkit.evaluation.pages.side import Side
from pgan_toolkit.wording import counted

__all__ = ["FEWEST_PICTURES", "RULES", "Finding", "find_differences"]

_STANDARD_ERRORS = 4.0
_CHANCE = float(norm.sf(_STANDARD_ERRORS))
_TINY = 1e-9
FEWEST_PICTURES = 8
"""Of each side: of fewer a standard error is hardly known."""
_BRIGHTNESS_LEVELS = 5.0
_CAST_LEVELS = 4.0
_CONTRAST, _SATURATION, _DETAIL = 1.18, 1.25, 1.33  # ratios, or one over them
_BLOCK_PEAK = 1.05
_DISTINCT_LOSS = 0.05
_REACH, _PLAUSIBLE = 0.9, 0.8  # of what is expected
_COPIED = 0.01
_MISSED_TOGETHER = 4
"""Real pictures that lie near each other: of N the share within reach is as uncertain as of N/4.

Its variance was 1.9 to 3.6 times that of a binomial share between samples of one set (CIFAR-10).
"""
_BANDS = {"finest": slice(12, 16), "medium": slice(8, 12)}
_BAND_TEXT = {"finest": "above 1/4 cycle per pixel", "medium": "1/8 to 1/4 cycle per pixel"}
_CASTS = (("redder", "less red, towards cyan"), ("greener", "less green, towards magenta"))
_CAST_NAMES = (*_CASTS, ("bluer", "less blue, towards yellow"))


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes
    ----------
    text : str
        A sentence for a person.
    evidence : str
        The numbers that it stands on.
    rule : str
        When it is said.
    section : str
        Where the page shows it: an anchor.
    """

    text: str
    evidence: str
    rule: str
    section: str


RULES = (
    "brightness, colour cast, contrast, saturation",
    "power at the finest and at medium frequencies",
    "block borders of JPEG",
    "repeated pictures",
    "real pictures that no fake one comes near",
    "fake pictures that no real one is near to",
    "copies of real pictures",
)
"""What is looked for."""


def find_differences(
    real: Side, fake: Side, likeness: Likeness | None
) -> tuple[Finding, ...] | None:
    """Return what is wrong with the fake pictures, what is easiest to see last; None: not known.

    Parameters
    ----------
    real, fake : Side
        What was seen of each side. Of fewer than `FEWEST_PICTURES` nothing is known.
    likeness : Likeness | None
        How their pictures lie to each other; None: not known.
    """
    if min(len(real), len(fake)) < FEWEST_PICTURES:
        return None
    pixels: tuple[Callable[[Side, Side], Finding | None], ...] = (
        _detail, _blocks, _brightness, _cast, _contrast, _saturation,
    )  # fmt: skip
    found = [rule(real, fake) for rule in pixels]
    if likeness is not None:
        found = [*_alikeness(likeness, len(fake)), *found]
    return tuple(finding for finding in found if finding is not None)


def _detail(real: Side, fake: Side) -> Finding | None:
    if np.median(real.side_px) != np.median(fake.side_px):
        return None  # the same face has other frequencies a pixel in another size
    variances = np.square(real.contrast), np.square(fake.contrast)
    contrast = _ratio(variances[1], variances[0])
    for band, rings in _BANDS.items():
        powers = [_band(side.power, rings) for side in (real, fake)]
        if not all(len(power) > 1 and power.mean() > 0 for power in powers):
            continue
        ratio = _ratio(powers[1], powers[0]) / max(contrast, 1e-12)
        beyond = _beyond_chance(
            math.log(max(ratio, 1e-12)), *map(_relative_error, (*powers, *variances))
        )
        if not beyond or 1 / _DETAIL < ratio < _DETAIL:
            continue
        what = (
            "are blurred: they lack fine detail" if ratio < 1 else "have too much detail, or noise"
        )
        return Finding(
            f"The fake pictures {what}.",
            f"The {band} frequencies ({_BAND_TEXT[band]}) hold {_percent(ratio)} of the power that "
            "they hold in the real pictures, at equal contrast.",
            f"Rule: said below {_percent(1 / _DETAIL)} and above {_percent(_DETAIL)}.",
            "spectrum",
        )
    return None


def _blocks(real: Side, fake: Side) -> Finding | None:
    steps = real.steps(), fake.steps()
    if not all(len(each) > 1 and (each.mean(axis=0) > 0).all() for each in steps):
        return None  # too small, or flat: no step to look at
    ratio = steps[1].mean(axis=0) / steps[0].mean(axis=0)
    if not all(_stands_out(steps, ratio[axis], axis=axis) for axis in range(2)):
        return None
    usual = ratio.max(axis=1) / np.median(ratio, axis=1)
    return Finding(
        "The fake pictures have block borders every 8 pixels: they were compressed as JPEG.",
        f"Steps between neighbouring pixels are {_percent(usual[0] - 1)} larger across one column "
        f"in eight, and {_percent(usual[1] - 1)} across one row in eight, than across the others, "
        "compared with the real pictures.",
        f"Rule: said where one place in eight exceeds all others by "
        f"{_percent(_BLOCK_PEAK - 1)} in both directions.",
        "spectrum",
    )


def _stands_out(
    steps: tuple[NDArray[np.float64], NDArray[np.float64]],
    ratio: NDArray[np.float64],
    *,
    axis: int,
) -> bool:
    """Whether one of eight places is above each other by enough, and above all beyond chance."""
    place = int(ratio.argmax())
    others = np.delete(ratio, place)
    # Places of one picture go up and down together: what errs is how they differ.
    shares = [each[:, axis] / each[:, axis].mean(axis=0) for each in steps]
    errors = [
        _error(share[:, place] - np.delete(share, place, axis=1).mean(axis=1)) for share in shares
    ]
    enough = ratio[place] >= _BLOCK_PEAK * others.max()
    return bool(enough) and _beyond_chance(math.log(ratio[place] / others.mean()), *errors)


def _brightness(real: Side, fake: Side) -> Finding | None:
    means = [float(side.brightness.mean()) for side in (real, fake)]
    change = means[1] - means[0]
    beyond = _beyond_chance(change, _error(real.brightness), _error(fake.brightness))
    if not beyond or abs(change) < _BRIGHTNESS_LEVELS:
        return None
    return Finding(
        f"The fake pictures are {'darker' if change < 0 else 'brighter'}.",
        f"Their mean brightness is {means[1]:.0f} of 255, that of the real ones {means[0]:.0f}.",
        f"Rule: said from {_BRIGHTNESS_LEVELS:.0f} levels of 255.",
        "colours",
    )


def _cast(real: Side, fake: Side) -> Finding | None:
    casts = [side.colours - side.colours.mean(axis=1, keepdims=True) for side in (real, fake)]
    change = casts[1].mean(axis=0) - casts[0].mean(axis=0)
    channel = int(np.abs(change).argmax())
    amount = float(change[channel])
    errors = [_error(cast[:, channel]) for cast in casts]
    if abs(amount) < _CAST_LEVELS or not _beyond_chance(amount, *errors):
        return None
    more, less = _CAST_NAMES[channel]
    listed = ", ".join(
        f"{name} {step:+.0f}" for name, step in zip(("red", "green", "blue"), change, strict=True)
    )
    return Finding(
        f"The fake pictures are {more if amount > 0 else less}: they have a colour cast.",
        f"Levels of 255 against the mean of the three channels, compared with the real pictures: "
        f"{listed}.",
        f"Rule: said from {_CAST_LEVELS:.0f} levels of one channel against the mean of the three.",
        "colours",
    )


def _contrast(real: Side, fake: Side) -> Finding | None:
    return _scaled(
        (real.contrast, fake.contrast), _CONTRAST, ("have less contrast", "have more contrast"),
        "standard deviation of the brightness within a picture",
    )  # fmt: skip


def _saturation(real: Side, fake: Side) -> Finding | None:
    return _scaled(
        (real.saturation, fake.saturation), _SATURATION,
        ("are paler in colour", "are more strongly coloured"),
        "mean distance between the largest and the smallest channel",
    )  # fmt: skip


def _scaled(
    values: tuple[NDArray[np.float64], NDArray[np.float64]],
    limit: float,
    words: tuple[str, str],
    what: str,
) -> Finding | None:
    real, fake = values
    if real.mean() <= 0:
        return None
    ratio = _ratio(fake, real)
    beyond = _beyond_chance(
        math.log(max(ratio, 1e-12)), _relative_error(real), _relative_error(fake)
    )
    if not beyond or 1 / limit < ratio < limit:
        return None
    return Finding(
        f"The fake pictures {words[ratio > 1]}.",
        f"The {what} is, on average, {_percent(ratio)} of that in the real pictures.",
        f"Rule: said below {_percent(1 / limit)} and above {_percent(limit)}.",
        "colours",
    )


def _alikeness(likeness: Likeness, count: int) -> list[Finding | None]:
    repeated = _repeated(likeness, count)
    distinct = min(likeness.distinct)
    odd = None if repeated else _odd(likeness, count)
    return [repeated, _left_out(likeness, distinct), odd, _copied(likeness, count)]


def _repeated(likeness: Likeness, count: int) -> Finding | None:
    real, fake = likeness.distinct
    if fake > real - _DISTINCT_LOSS * count:
        return None
    return Finding(
        f"The generator repeats itself: only {fake:,} of {count:,} fake pictures are distinct.",
        f"Of as many real pictures {real:,} are. Pictures count as one that are nearer to each "
        "other than a quarter of the usual distance of a real picture from its nearest.",
        f"Rule: said where {_percent(_DISTINCT_LOSS)} fewer are distinct than of the real ones.",
        "typical",
    )


def _left_out(likeness: Likeness, distinct: int) -> Finding | None:
    got, expected = likeness.reached, likeness.reached_expected
    if got > _REACH * expected or not _rarely_so_few(got, expected, distinct / _MISSED_TOGETHER):
        return None
    return Finding(
        "The fake pictures leave out part of what the real ones show: modes are missing.",
        f"A fake picture comes near {_percent(got)} of the real ones; {_percent(expected)} if both "
        "sets were of one kind. Those that are farthest from any are shown.",
        f"Rule: said below {_percent(_REACH)} of what is expected. Near: no farther than the fifth "
        "nearest real picture, at 16x16 pixels.",
        "missing",
    )


def _odd(likeness: Likeness, count: int) -> Finding | None:
    got, expected = likeness.plausible, likeness.plausible_expected
    if got > _PLAUSIBLE * expected or not _rarely_so_much_fewer(got, expected, count):
        return None
    return Finding(
        "Many fake pictures look like none of the real ones.",
        f"{_percent(got)} of them are near a real picture; of the real ones, each against the "
        f"others, {_percent(expected)}.",
        f"Rule: said below {_percent(_PLAUSIBLE)} of what the real pictures reach.",
        "typical",
    )


def _copied(likeness: Likeness, count: int) -> Finding | None:
    if likeness.copied < max(_COPIED * count, 3):
        return None
    return Finding(
        f"{counted(likeness.copied, 'fake picture')} of {count:,} are near copies of real ones.",
        "They are nearer to one than a quarter of the usual distance of a real picture from its "
        "nearest.",
        f"Rule: said from {_percent(_COPIED)} of the pictures, and from three.",
        "neighbours",
    )


def _band(power: NDArray[np.float64], rings: slice) -> NDArray[np.float64]:
    """Mean power of each picture in some rings; those without a frequency there are left out."""
    part = power[:, rings]
    known = np.isfinite(part)
    chosen = known.any(axis=1)
    sums = np.where(known, part, 0.0).sum(axis=1)
    return np.asarray(sums[chosen] / known.sum(axis=1)[chosen])


def _ratio(fake: NDArray[np.float64], real: NDArray[np.float64]) -> float:
    return float(fake.mean()) / max(float(real.mean()), 1e-12)


def _error(values: NDArray[np.float64]) -> float:
    """Return the standard error of a mean; infinite for a single value."""
    return float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.inf


def _relative_error(values: NDArray[np.float64]) -> float:
    return _error(values) / max(float(values.mean()), 1e-12)


def _rarely_so_few(got: float, expected: float, count: float) -> bool:
    """Whether a share of `count` is seldom as small where `expected` is true: a binomial tail.

    As seldom as four standard errors are; these say little of shares near 1 of few pictures.
    """
    return float(binom.cdf(math.ceil(got * count - _TINY), round(count), expected)) < _CHANCE


def _rarely_so_much_fewer(got: float, other: float, count: int) -> bool:
    """The same of two shares that were both found of `count`: Fisher's exact test."""
    some, others = (round(share * count) for share in (got, other))
    return float(hypergeom.cdf(some, 2 * count, some + others, count)) < _CHANCE


def _beyond_chance(change: float, *errors: float) -> bool:
    return abs(change) > _STANDARD_ERRORS * math.hypot(*errors)


def _percent(share: float) -> str:
    value = round(100 * share, 1)
    return f"{value:.1f} %" if 0 < abs(value) < 10 and value != round(value) else f"{value:.0f} %"
