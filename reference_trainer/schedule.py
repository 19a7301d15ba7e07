"""When what is trained: a pure function of how many reals D has been shown (appendix A).

One resolution lasts `stable_kimg` without change and then `fade_kimg` in which the next one is
faded in. lod, the level of detail, is the logarithm to base 2 of the last resolution over that of
the moment; between two whole numbers the higher resolution has begun.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pgan_toolkit.errors import UsageError
from reference_trainer.configuration.settings import RunSettings

__all__ = ["Phase", "Stretch", "minibatch_sizes", "phase_at", "phases"]


@dataclass(frozen=True)
class Phase:
    """What holds for the step that begins after so many reals.

    Attributes
    ----------
    kimg : float
        Thousands of reals shown.
    lod : float
        Level of detail: 0 at the last resolution.
    resolution : int
        Of the moment, pixels: while a resolution is faded in, that one.
    alpha : float
        Weight of the newest block: 1 - frac(lod); 1 where nothing fades.
    minibatch_size : int
        Reals a step, over all GPUs.
    learning_rate : float
        Of Adam, ramp-up included.
    fading : bool
        Whether a resolution is being faded in.
    index : int
        Counts stable and fading stretches, from 0: it changes at both ends of a fade.
    """

    kimg: float
    lod: float
    resolution: int
    alpha: float
    minibatch_size: int
    learning_rate: float
    fading: bool
    index: int


@dataclass(frozen=True)
class Stretch:
    """A part of a run in which only alpha, and a ramp-up, change.

    Attributes
    ----------
    from_kimg, to_kimg : float
        Where it begins and ends.
    resolution, minibatch_size, learning_rate, fading
        As in `Phase`, the rate without ramp-up.
    """

    from_kimg: float
    to_kimg: float
    resolution: int
    minibatch_size: int
    learning_rate: float
    fading: bool


def phase_at(shown: int, settings: RunSettings) -> Phase:
    """Return the phase of the step that begins after `shown` reals.

    With a and b images of training and of fading for each resolution, i = floor(t / (a + b)) and
    r = t - i (a + b): lod = log2(last / first) - i - max(r - a, 0) / b, not below 0.

    Parameters
    ----------
    shown : int
        t: reals shown so far, 0 or more.
    settings : RunSettings
        Of the run.

    Raises
    ------
    UsageError
        `shown` is negative.
    """
    if shown < 0:
        raise UsageError(f"phase_at({shown}): expected 0 or more reals shown")
    doublings = _doublings(settings)
    done, faded = _progress(shown, settings)
    if done >= doublings:
        done, faded = doublings, 0.0
    fading = faded > 0
    resolution = settings.data.resolution >> (doublings - done - fading)
    return Phase(
        kimg=shown / 1000,
        lod=doublings - done - faded,
        resolution=resolution,
        alpha=faded if fading else 1.0,
        minibatch_size=_minibatch_size(resolution, settings),
        learning_rate=_learning_rate(resolution, settings) * _rampup(shown, settings),
        fading=fading,
        index=2 * done + fading,
    )


def phases(settings: RunSettings) -> tuple[Stretch, ...]:
    """Return the stretches of a run in order, without gaps, from 0 to its `total_kimg`."""
    total = settings.schedule.total_kimg
    return tuple(
        Stretch(
            from_kimg=start,
            to_kimg=min(end, total),
            resolution=resolution,
            minibatch_size=_minibatch_size(resolution, settings),
            learning_rate=_learning_rate(resolution, settings),
            fading=fading,
        )
        for start, end, resolution, fading in _bounds(settings)
        if start < min(end, total)
    )


def minibatch_sizes(settings: RunSettings) -> tuple[int, ...]:
    """Return the sizes of all minibatches of a run, ascending.

    The first step is one of the first resolution, even where that one's stretch is empty.
    """
    first = phase_at(0, settings).minibatch_size
    return tuple(sorted({first, *(stretch.minibatch_size for stretch in phases(settings))}))


def _doublings(settings: RunSettings) -> int:
    """Resolutions that are faded in."""
    if not settings.schedule.growing:
        return 0
    ratio = settings.data.resolution // settings.schedule.first_resolution
    return ratio.bit_length() - 1


def _progress(shown: int, settings: RunSettings) -> tuple[int, float]:
    """Resolutions that are done with, and the share of the fade after the one of the moment."""
    schedule = settings.schedule
    if not schedule.growing:
        return 0, 0.0
    stable, fade = schedule.stable_kimg * 1000, schedule.fade_kimg * 1000
    done, rest = divmod(shown, stable + fade)
    faded = (rest - stable) / fade if rest > stable else 0.0
    return int(done), min(faded, 1.0)


def _bounds(settings: RunSettings) -> Iterator[tuple[float, float, int, bool]]:
    """Begin and end in kimg, resolution, and whether it is being faded in."""
    schedule, doublings = settings.schedule, _doublings(settings)
    resolution = settings.data.resolution >> doublings
    period = schedule.stable_kimg + schedule.fade_kimg
    for done in range(doublings):
        start = done * period
        yield start, start + schedule.stable_kimg, resolution << done, False
        yield start + schedule.stable_kimg, start + period, resolution << (done + 1), True
    yield doublings * period, schedule.total_kimg, settings.data.resolution, False


def _minibatch_size(resolution: int, settings: RunSettings) -> int:
    return settings.schedule.minibatch_sizes.get(resolution, settings.schedule.minibatch_size)


def _learning_rate(resolution: int, settings: RunSettings) -> float:
    """The rate of the highest resolution that is named and reached."""
    rates = settings.optimization.learning_rates
    reached = [named for named in rates if named <= resolution]
    return rates[max(reached)] if reached else settings.optimization.learning_rate


def _rampup(shown: int, settings: RunSettings) -> float:
    """exp(-5 (1 - t)^2): 0.0067 to 1, as the program has it (the curve of Laine and Aila 2017)."""
    over = settings.optimization.rampup_kimg * 1000
    left = max(1 - shown / over, 0.0) if over > 0 else 0.0
    return math.exp(-5 * left**2)
