"""Places of pages, and the command that they name."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pgan_cli.reports import Report, report_place

__all__ = ["command_line", "page_place"]


def command_line() -> str:
    """Return what was run, as one would type it."""
    return shlex.join(["pgan-toolkit", *sys.argv[1:]])


@contextmanager
def page_place(page: Path | None) -> Iterator[Report | None]:
    """Take a page's place as `report_place` does, where pages can be made; None: no page.

    Raises
    ------
    UsageError
        As `report_place`.
    SetupError
        jinja2 is not installed, or the page cannot be written.
    """
    if page is not None:
        from pgan_toolkit.pages import require_jinja

        require_jinja()
    with report_place(page) as place:
        yield place
