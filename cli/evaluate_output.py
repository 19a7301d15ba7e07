"""Where `pgan-toolkit evaluate` puts its report, and how the command ends."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from pgan_cli.evaluate_page import PagePlan, planned_page
from pgan_cli.reports import STANDARD_OUTPUT, PrintedReport, json_place, report_place
from pgan_cli.reports import Report as FilePlace
from pgan_cli.terminal import echo

from pgan_toolkit.errors import CheckFailed, DataError, SetupError, UsageError

if TYPE_CHECKING:  # it would load torch, which --help does without
    from pgan_toolkit.evaluation.comparing import Report
    from pgan_toolkit.evaluation.pages import PageLook

__all__ = ["NewBaseline", "Outputs", "Places", "finish_evaluation", "planned_baseline"]

_SUMMARY = "GITHUB_STEP_SUMMARY"
Kind = TypeVar("Kind")


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What was asked for.

    Attributes
    ----------
    json, junit, markdown, html : Path | None
        Files; `json` may be standard output.
    history : sequence of Path
        Earlier reports that the page shows.
    github : bool
        Whether the runner of a job is told.
    quiet : bool
        Whether nothing is shown.
    """

    json: Path | None
    junit: Path | None
    markdown: Path | None
    html: Path | None
    history: Sequence[Path]
    github: bool
    quiet: bool

    @contextmanager
    def places(self) -> "Iterator[Places]":
        """Take all places before the work.

        Raises
        ------
        UsageError
            A folder does not exist; there is no job of GitHub Actions, or its annotations would
            stand in the middle of JSON; or as `planned_page`.
        DataError
            An earlier report is none.
        SetupError
            A file cannot be written, or jinja2 is not installed.
        """
        summary = os.environ.get(_SUMMARY) if self.github else None
        if self.github and not summary:
            raise UsageError(f"--github: {_SUMMARY} is not set; use it in a job of GitHub Actions")
        if self.github and self.json == STANDARD_OUTPUT:
            raise UsageError("--github and --json - both use standard output; name a file for one")
        if summary:
            _append(Path(summary), "")
        with ExitStack() as stack:
            yield Places(
                json=stack.enter_context(_Taken(json_place(self.json))),
                junit=stack.enter_context(_Taken(report_place(self.junit))),
                markdown=stack.enter_context(_Taken(report_place(self.markdown))),
                page=stack.enter_context(_Taken(planned_page(self.html, self.history))),
                summary=Path(summary) if summary else None,
                quiet=self.quiet,
            )


class _Taken(Generic[Kind]):
    """A place that is given up when the work fails, until something has been written there.

    Parameters
    ----------
    place : context manager
        What takes it, and gives the file its name when it is left.
    """

    def __init__(self, place: AbstractContextManager[Kind]) -> None:
        self._open = ExitStack()
        self.place = self._open.enter_context(place)

    def __enter__(self) -> "_Taken[Kind]":
        return self

    def __exit__(self, *error: object) -> None:
        self._open.__exit__(*error)  # type: ignore[arg-type]

    @contextmanager
    def last(self) -> Iterator[Kind]:
        """Give the place for the last time: the file is there afterwards, whatever comes then."""
        with self._open.pop_all():
            yield self.place


@dataclass(frozen=True, kw_only=True)
class Places:
    """Files that are being made, and where else a report goes."""

    json: _Taken[FilePlace | PrintedReport | None]
    junit: _Taken[FilePlace | None]
    markdown: _Taken[FilePlace | None]
    page: _Taken[PagePlan]
    summary: Path | None
    quiet: bool

    @property
    def look(self) -> "PageLook":
        """What the evaluation shows its pictures to."""
        return self.page.place.look

    def write(self, report: "Report") -> None:
        """Write the report everywhere, and show it unless told to be quiet.

        It may have taken hours: what can be written is, and stays, whatever cannot.

        Raises
        ------
        SetupError, UsageError
            A file cannot be written; all such files are named.
        DataError
            A picture that the page shows cannot be read.
        """
        errors: list[DataError | SetupError | UsageError] = []
        for write in (self._json, self._junit, self._markdown, self._tell, self._show, self._page):
            try:
                write(report)
            except (DataError, SetupError, UsageError) as error:
                errors.append(error)
        if errors:
            raise type(errors[0])("; ".join(map(str, errors))) from errors[0]

    def _json(self, report: "Report") -> None:
        from pgan_toolkit.evaluation.comparing import report_json

        _write(self.json, lambda: report_json(report))

    def _junit(self, report: "Report") -> None:
        from pgan_toolkit.evaluation.comparing import report_junit

        _write(self.junit, lambda: report_junit(report))

    def _markdown(self, report: "Report") -> None:
        from pgan_toolkit.evaluation.comparing import report_markdown

        _write(self.markdown, lambda: report_markdown(report).encode())

    def _page(self, report: "Report") -> None:
        with self.page.last() as page:
            page.write(report)

    def _tell(self, report: "Report") -> None:
        from pgan_toolkit.evaluation.comparing import report_markdown

        if self.summary is not None:
            _append(self.summary, report_markdown(report))

    def _show(self, report: "Report") -> None:
        from pgan_toolkit.evaluation.comparing import github_annotations, report_text

        if not self.quiet:
            if not isinstance(self.json.place, PrintedReport):
                echo(report_text(report))
            for warning in report.warnings:
                echo(f"warning: {warning}", err=True)
        if self.summary is not None:
            for line in github_annotations(report):
                echo(line)


@dataclass(frozen=True)
class NewBaseline:
    """A baseline that is to be made.

    Attributes
    ----------
    path : Path
        Where.
    replaced : tuple of str
        The numbers that are compared with the one that is there now; empty if there is none.
    """

    path: Path
    replaced: tuple[str, ...]

    def refuse_loss(self, kept: Callable[[str], bool]) -> None:
        """Refuse to drop numbers, which nothing would be compared with any more.

        Parameters
        ----------
        kept : callable
            Whether a number, by its name, is among the new ones.

        Raises
        ------
        UsageError
            The new baseline would lack some; they are named.
        """
        lost = [name for name in self.replaced if not kept(name)]
        if lost:
            raise UsageError(
                f"{self.path}: has {', '.join(lost)}, which this run does not measure, so that "
                "with --update-baseline nobody would compare with them any more; measure them too "
                f"(--metric), or remove {self.path} first. It was left as it is"
            )


def planned_baseline(path: Path | None, metrics: Sequence[str] | None) -> NewBaseline | None:
    """Look at the baseline that is going to be replaced, before the work.

    Parameters
    ----------
    path : Path | None
        Where the new one goes; None: nowhere.
    metrics : sequence of str | None
        Those that were asked for; None: all that can run here.

    Raises
    ------
    UsageError
        It has numbers of other metrics.
    DataError
        It is no report, or of another version.
    """
    if path is None:
        return None
    from pgan_toolkit.evaluation.comparing import read_report

    if not path.exists():
        return NewBaseline(path, ())
    try:
        scores = read_report(path).scores
    except DataError as error:
        raise DataError(
            f"{error}; or remove {path}, and --update-baseline makes it anew"
        ) from error
    compared = {name: score.metric for name, score in scores.items() if score.headline}
    planned = NewBaseline(path, tuple(compared))
    if metrics is not None:
        planned.refuse_loss(lambda name: compared[name] in metrics)
    return planned


def finish_evaluation(report: "Report", *, baseline: NewBaseline | None, quiet: bool) -> None:
    """Write the new baseline if it was asked for, and end the command as the verdicts are.

    Parameters
    ----------
    report : Report
        Its files have been written.
    baseline : NewBaseline | None
        What it becomes, if it passed and has all numbers that the one before has.
    quiet : bool
        Whether nothing is shown.

    Raises
    ------
    CheckFailed
        A threshold failed, or there is a regression.
    DataError
        The baseline cannot be compared with.
    UsageError
        The baseline would lose numbers.
    SetupError
        The baseline cannot be written.
    """
    failed = [each for each in report.verdicts if each.status == "fail"]
    if failed:
        kept = f"; {baseline.path} was left as it is" if baseline else ""
        names = ", ".join(dict.fromkeys(each.score for each in failed))
        raise CheckFailed(f"{len(failed)} of {len(report.verdicts)} verdicts failed: {names}{kept}")
    unlike = [each for each in report.verdicts if each.status == "not comparable"]
    if unlike and report.baseline is not None:
        more = f" (and {len(unlike) - 1} more)" if len(unlike) > 1 else ""
        raise DataError(
            f"{report.fake['path']} against {report.real['path']}, and {report.baseline.path}: "
            f"{unlike[0].message}{more}; make the baseline anew with "
            "--update-baseline, or measure as it was measured"
        )
    if baseline is not None:
        baseline.refuse_loss(report.scores.__contains__)
        _write_baseline(report, baseline.path, quiet=quiet)


def _write(
    taken: "_Taken[FilePlace | None] | _Taken[FilePlace | PrintedReport | None]",
    content: Callable[[], bytes],
) -> None:
    with taken.last() as place:
        if place is not None:
            place.write(content())


def _write_baseline(report: "Report", path: Path, *, quiet: bool) -> None:
    from pgan_toolkit.evaluation.comparing import report_json
    from pgan_toolkit.storage import atomic_write_bytes

    try:
        atomic_write_bytes(path, report_json(report))
    except OSError as error:
        raise SetupError(f"{path}: cannot be written ({error.strerror or error})") from error
    if not quiet:
        echo(f"{path}: is the baseline now", err=True)


def _append(path: Path, text: str) -> None:
    """Add text to the job's summary; without any, see whether it can be."""
    try:
        with path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError as error:
        raise SetupError(
            f"{path}: the summary of --github cannot be written ({error.strerror or error}); let "
            f"{_SUMMARY} name a file that can be, or leave --github out"
        ) from error
