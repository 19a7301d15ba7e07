"""Tables of a page: cells that show one thing and are sorted by another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Cell", "Table"]

_SMALLEST_FIXED = 0.01


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes
    ----------
    text : str
        What it shows.
    order : float | None
        What it is sorted by; None: its text.
    kind : str
        A class of the style sheet: "pass", "fail", "number"; "" if none.
    """

    text: str
    order: float | None = None
    kind: str = ""

    @classmethod
    def number(cls, value: float | None) -> "Cell":
        """Return the cell of a number; a dash for none, and where it is not finite."""
        if value is None or not math.isfinite(value):
            return cls("-", None, "number")
        if value == round(value) and abs(value) < 1e15:
            return cls(f"{value:,.0f}", float(value), "number")
        hidden = 0 < abs(value) < _SMALLEST_FIXED
        return cls(f"{value:#.4g}" if hidden else f"{value:,.4f}", float(value), "number")


@dataclass(frozen=True)
class Table:
    """A table. Attributes: `head`, `rows` (the first cell of each names it), `caption`."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
