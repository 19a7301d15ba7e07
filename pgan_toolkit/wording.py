"""Words of messages: numbers of things, and names that others chose."""

import unicodedata

__all__ = ["counted", "spreadsheet_text", "visible"]

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")

_STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's categories of what a terminal acts on or does not show, and of halves of characters."""


def counted(count: int, noun: str) -> str:
    """Return "1 image", "2 images", "1,000 images".

    Parameters
    ----------
    count : int
        How many.
    noun : str
        What, in the singular; its plural takes an s.
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return text that steers no terminal: control characters and the like as ``\u001b``.

    Escape sequences in a file's name could else retitle a window or hide lines, an override of the
    direction could make one name look like another, and a line end could begin a line that a CI
    system takes for a command. In JSON the escapes mean the same characters.

    Parameters
    ----------
    text : str
        Any.
    lines : bool
        Keep line ends and tabs: they are the program's own.
    """
    if text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(
        each if each in kept or unicodedata.category(each) not in _STEERING else _escaped(each)
        for each in text
    )


def spreadsheet_text(text: str) -> str:
    """Return a cell of a table that no spreadsheet takes for a formula: with an apostrophe before.

    Parameters
    ----------
    text : str
        A name that others chose; it is changed only where it begins as a formula does.
    """
    return f"'{text}" if text.startswith(_FORMULAS) else text


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
