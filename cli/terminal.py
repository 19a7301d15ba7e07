"""Lines for the terminal and for logs."""

import re

import click

from pgan_toolkit.wording import visible

__all__ = ["echo"]

_WORKFLOW_COMMAND = re.compile(r"(\n[ \t]*)(?=::|##\[)")


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Write a text in which nothing steers the terminal, whatever names others chose (`visible`).

    No line within it begins as a command to GitHub's runner does: a backslash comes before.

    Parameters
    ----------
    text : str
        One line or several.
    err : bool
        To standard error.
    nl : bool
        End it with a line end.
    """
    shown = _WORKFLOW_COMMAND.sub(r"\1\\", visible(text, lines=True))
    click.echo(shown, err=err, nl=nl)
