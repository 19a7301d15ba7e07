"""The page of `pgan-toolkit evaluate`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pgan_cli.pages import command_line, page_place
from pgan_cli.reports import Report as FilePlace

if TYPE_CHECKING:  # it would load torch, which --help does without
    from pgan_toolkit.evaluation.comparing import EvaluationSettings, Report
    from pgan_toolkit.evaluation.comparing.generators import Generate
    from pgan_toolkit.evaluation.streams import ImageStream
    from pgan_toolkit.storage import Place

__all__ = ["PagePlan", "planned_page"]

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
        real: "Place",
        fake: "Place | Generate",
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
            command=command_line(),
        )
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


def _judged(
    fake: "Place | Generate", report: "Report", settings: "EvaluationSettings"
) -> "ImageStream":
    """Open the judged pictures again; of a callable the first ones, which it makes anew."""
    from pgan_toolkit.evaluation.comparing import GeneratorSource
    from pgan_toolkit.evaluation.streams import ImageStream
    from pgan_toolkit.storage import RemotePath

    how = settings.stream(min(_MOST_PICTURES, report.declared_images or _MOST_PICTURES))
    if isinstance(fake, (Path, RemotePath)):
        return ImageStream(fake, how)
    source = GeneratorSource(
        fake,
        min(_MOST_PICTURES, report.fake["images_in_set"]),
        seed=settings.seed,
        batch_size=settings.generator_batch,
    )
    return ImageStream(source, replace(how, images=None, skip_bad=False))
