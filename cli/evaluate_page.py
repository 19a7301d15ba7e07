"""The page of `pgan-toolkit evaluate`."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pgan_cli.reports import Report as FilePlace
from pgan_cli.reports import report_place

if TYPE_CHECKING:  # it would load torch, which --help does without
    from pgan_toolkit.evaluation.comparing import EvaluationSettings, Report
    from pgan_toolkit.evaluation.comparing.generators import Generate
    from pgan_toolkit.evaluation.streams import ImageStream

__all__ = ["PagePlan", "page_place"]

_MOST_PICTURES = 2048


class PagePlan:
    """The page that was asked for, if any.

    Parameters
    ----------
    place : FilePlace | None
        Where it goes.
    history : sequence of Report
        Earlier reports, oldest first.
    """

    def __init__(self, place: FilePlace | None, history: "Sequence[Report]") -> None:
        self._place = place
        self._history = history

    def write(
        self,
        report: "Report",
        *,
        real: Path,
        fake: "Path | Generate",
        settings: "EvaluationSettings",
    ) -> None:
        """Write the page of a report, which reads some of the pictures again.

        Raises
        ------
        DataError
            A picture cannot be read.
        SetupError
            It cannot be written.
        """
        if self._place is None:
            return
        from pgan_toolkit.evaluation.pages import report_html
        from pgan_toolkit.evaluation.streams import ImageStream

        how = settings.stream(min(_MOST_PICTURES, report.declared_images or _MOST_PICTURES))
        page = report_html(
            report,
            real=ImageStream(real, how),
            fake=_judged(fake, report, settings),
            history=self._history,
            command=shlex.join(["pgan-toolkit", *sys.argv[1:]]),
        )
        self._place.write(page)


@contextmanager
def page_place(html: Path | None, history: Sequence[Path]) -> Iterator[PagePlan]:
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
    from pgan_toolkit.pages import require_jinja

    require_jinja()
    earlier = sorted(map(read_report, history), key=lambda report: report.created)
    with report_place(html) as place:
        yield PagePlan(place, earlier)


def _judged(
    fake: "Path | Generate", report: "Report", settings: "EvaluationSettings"
) -> "ImageStream":
    """Open the judged pictures again; of a callable the first ones, which it makes anew."""
    from pgan_toolkit.evaluation.comparing import GeneratorSource
    from pgan_toolkit.evaluation.streams import ImageStream

    how = settings.stream(min(_MOST_PICTURES, report.declared_images or _MOST_PICTURES))
    if isinstance(fake, Path):
        return ImageStream(fake, how)
    source = GeneratorSource(
        fake,
        min(_MOST_PICTURES, report.fake["images_in_set"]),
        seed=settings.seed,
        batch_size=settings.generator_batch,
    )
    return ImageStream(source, replace(how, images=None, skip_bad=False))
