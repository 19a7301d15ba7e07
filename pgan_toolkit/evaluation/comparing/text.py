"""Numbers as people read them."""

import math

__all__ = ["number_text"]

_SMALLEST_FIXED = 0.01


def number_text(value: float | None) -> str:
    """Four decimals, or four significant digits of what these would hide; "-" of no number."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.4g}" if abs(value) < _SMALLEST_FIXED else f"{value:,.4f}"
