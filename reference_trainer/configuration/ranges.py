"""Ranges of numbers in settings, and what is said of those outside."""

import math

from pgan_toolkit.errors import UsageError

__all__ = ["above_zero", "at_least_one", "at_most", "within"]


def at_least_one(settings: object, *names: str) -> None:
    """Raise UsageError unless these settings are 1 or more, and finite."""
    for name in names:
        within(settings, name, 1, math.inf)


def at_most(settings: object, most: float, *names: str) -> None:
    """Raise UsageError if one of these settings is more."""
    for name in names:
        if getattr(settings, name) > most:
            raise UsageError(f"{name}={getattr(settings, name)}: expected {most:,} or less")


def within(settings: object, name: str, low: float, high: float) -> None:
    """Raise UsageError unless a setting is low to high, and finite."""
    value = getattr(settings, name)
    if not low <= value <= high or value == math.inf:
        bound = f"{low} or more" if high == math.inf else f"{low} to {high}"
        raise UsageError(f"{name}={value}: expected {bound}")


def above_zero(settings: object, *names: str) -> None:
    """Raise UsageError unless these settings are above 0, and finite."""
    for name in names:
        if not 0 < getattr(settings, name) < math.inf:
            raise UsageError(f"{name}={getattr(settings, name)}: expected a number above 0")
