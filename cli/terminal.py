"""Lines for the terminal and for logs."""

import click

from pgan_toolkit.wording import visible

__all__ = ["echo"]


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Write a text in which nothing steers the terminal, whatever names others chose (`visible`).

    Parameters
    ----------
    text : str
        One line or several.
    err : bool
        To standard error.
    nl : bool
        End it with a line end.
    """
    click.echo(visible(text, lines=True), err=err, nl=nl)
