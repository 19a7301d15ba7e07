"""The page of `pgan-toolkit evaluate`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pgan_cli.pages import command_line, page_place
from pgan_cli.reports import Report as FilePlace

if TYPE_CHECKING:  # it would load torch, which --help does without
    from pgan_toolkit.evaluation.comparing import Report

__all__ = ["PagePlan", "planned_page"]


class PagePlan:
    """The page that was asked for, if any.

    Parameters
    ----------
    place : FilePlace | None
        Where it goes.
    history : sequence of Report
        Earlier reports, oldest first.

    Attributes
    ----------
    look : PageLook
        What the evaluation shows its pictures to, with a page and without: it says what is wrong.
    """

    def __init__(self, place: FilePlace | None, history: "Sequence[Report]") -> None:
        from pgan_toolkit.evaluation.pages import PageLook

        self.look = PageLook()
        self._place = place
        self._history = history

    def write(self, report: "Report") -> None:
        """Write the page of a report, if there is to be one.

        Raises
        ------
        SetupError
            It cannot be written.
        """
        if self._place is None:
            return
        from pgan_toolkit.evaluation.pages import report_html

        page = report_html(report, self.look, history=self._history, command=command_line())
        self._place.write(page)


@contextmanager
def planned_page(html: Path | None, history: Sequence[Path]) -> Iterator[PagePlan]:
    """Take the place of a page, and read the earlier reports, before the work.

    Raises
    ------
    UsageError
        Its folder does not exist, there is no such earlier report, or it has no page to be on.
    DataError
        An earlier report is none.
    SetupError
        It cannot be written, or jinja2 is not installed.
    """
    from pgan_toolkit.errors import UsageError

    if html is None:
        if history:
            raise UsageError("--history is shown on a page: name one with --html FILE")
        yield PagePlan(None, ())
        return
    from pgan_toolkit.evaluation.comparing import read_report

    earlier = sorted(map(read_report, history), key=lambda report: report.created)
    with page_place(html) as place:
        yield PagePlan(place, earlier)
