"""Numbers as people read them."""

import math

__all__ = ["number_text", "number_texts"]

_SMALLEST_FIXED = 0.01
_FEWEST_DIGITS, _EXACT_DIGITS = 5, 17  # significant ones; 17 tell any two floats apart


def number_text(value: float | None) -> str:
    """Four decimals, or four significant digits of what these would hide; "-" of no number."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.4g}" if abs(value) < _SMALLEST_FIXED else f"{value:,.4f}"


def number_texts(value: float | None, other: float | None) -> tuple[str, str]:
    """Return two numbers as `number_text` does, with more digits where they would look equal.

    Parameters
    ----------
    value, other : float | None
        What a sentence holds against each other: a number, and what was demanded of it.
    """
    texts = number_text(value), number_text(other)
    if value is None or other is None or value == other:
        return texts
    digits = _FEWEST_DIGITS
    while _look_equal(*texts) and digits <= _EXACT_DIGITS:
        texts = f"{value:,.{digits}g}", f"{other:,.{digits}g}"
        digits += 1
    return texts


def _look_equal(text: str, other: str) -> bool:
    """As "5" and "5.0000" do."""
    return float(text.replace(",", "")) == float(other.replace(",", ""))
