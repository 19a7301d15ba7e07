"""Axes of charts: their range, their ticks, and where a value lies on them."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["Axis", "linear_axis", "log_axis"]

_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis of a chart.

    Attributes
    ----------
    label : str
        What it shows, with the unit.
    low, high : float
        Its ends; above 0 where it is logarithmic.
    ticks : Mapping of float to str
        Value -> what stands there.
    log : bool
        Whether equal ratios, not equal differences, are equally long.
    """

    label: str
    low: float
    high: float
    ticks: Mapping[float, str] = field(default_factory=dict)
    log: bool = False

    def share(self, value: float) -> float:
        """Return where a value lies: 0 at `low`, 1 at `high`, never beyond them."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(max(value, low))
        return min(max((value - low) / ((high - low) or 1.0), 0.0), 1.0)


def linear_axis(values: Iterable[float], *, label: str, from_zero: bool = False) -> Axis:
    """Return an axis over all values, its ends on round numbers.

    Parameters
    ----------
    values : iterable of float
        What is shown; those that are not finite are passed over.
    label : str
        What it shows.
    from_zero : bool
        Whether 0 is on it, as bars need.
    """
    found = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(found), max(found)
    if from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        low, high = low - (not from_zero) * 0.5, high + 0.5
    step = _step((high - low) / 4)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = {number * step: f"{number * step:,.6g}" for number in range(first, last + 1)}
    return Axis(label=label, low=first * step, high=last * step, ticks=ticks)


def log_axis(values: Iterable[float], *, label: str) -> Axis:
    """Return a logarithmic axis over all values above 0, its ends on powers of ten."""
    found = [value for value in values if math.isfinite(value) and value > 0] or [1.0, 10.0]
    first, last = math.floor(math.log10(min(found))), math.ceil(math.log10(max(found)))
    last = max(last, first + 1)
    ticks = {10.0**power: _power_of_ten(power) for power in range(first, last + 1)}
    return Axis(label=label, low=10.0**first, high=10.0**last, ticks=ticks, log=True)


def _power_of_ten(power: int) -> str:
    """Return 0.01, 1, 10k, 1M: short, for there is little room beside an axis."""
    unit = min(max(power // 3, 0), 3)
    return f"{10.0 ** (power - 3 * unit):,.{max(-power, 0)}f}{'kMG'[unit - 1] if unit else ''}"


def _step(rough: float) -> float:
    """Return the next round number above."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in _STEPS if step * power >= rough * (1 - 1e-9))
