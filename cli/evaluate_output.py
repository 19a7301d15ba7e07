"""Where `pgan-toolkit evaluate` puts its report, and how the command ends."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pgan_cli.reports import STANDARD_OUTPUT, PrintedReport, json_place, report_place
from pgan_cli.reports import Report as FilePlace
from pgan_cli.terminal import echo

from pgan_toolkit.errors import CheckFailed, DataError, SetupError, UsageError

if TYPE_CHECKING:  # it would load torch, which --help does without
    from pgan_toolkit.evaluation.comparing import Report

__all__ = ["Outputs", "Places", "finish_evaluation"]

_SUMMARY = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What was asked for.

    Attributes
    ----------
    json, junit, markdown : Path | None
        Files; `json` may be standard output.
    github : bool
        Whether the runner of a job is told.
    quiet : bool
        Whether nothing is shown.
    """

    json: Path | None
    junit: Path | None
    markdown: Path | None
    github: bool
    quiet: bool

    @contextmanager
    def places(self) -> "Iterator[Places]":
        """Take all places before the work.

        Raises
        ------
        UsageError
            A folder does not exist; there is no job of GitHub Actions, or its annotations would
            stand in the middle of JSON.
        SetupError
            A file cannot be written.
        """
        summary = os.environ.get(_SUMMARY) if self.github else None
        if self.github and not summary:
            raise UsageError(f"--github: {_SUMMARY} is not set; use it in a job of GitHub Actions")
        if self.github and self.json == STANDARD_OUTPUT:
            raise UsageError("--github and --json - both use standard output; name a file for one")
        with ExitStack() as stack:
            yield Places(
                json=stack.enter_context(json_place(self.json)),
                junit=stack.enter_context(report_place(self.junit)),
                markdown=stack.enter_context(report_place(self.markdown)),
                summary=Path(summary) if summary else None,
                quiet=self.quiet,
            )


@dataclass(frozen=True, kw_only=True)
class Places:
    """Files that are being made, and where else a report goes."""

    json: FilePlace | PrintedReport | None
    junit: FilePlace | None
    markdown: FilePlace | None
    summary: Path | None
    quiet: bool

    def write(self, report: "Report") -> None:
        """Write the report everywhere, and show it unless told to be quiet.

        Raises
        ------
        SetupError
            A file cannot be written. The report has been shown then, for it may have taken hours.
        """
        from pgan_toolkit.evaluation.comparing import report_json, report_junit, report_markdown

        try:
            if self.json is not None:
                self.json.write(report_json(report))
            if self.junit is not None:
                self.junit.write(report_junit(report))
            if self.markdown is not None:
                self.markdown.write(report_markdown(report).encode())
            if self.summary is not None:
                _append(self.summary, report_markdown(report))
        finally:
            self._show(report)

    def _show(self, report: "Report") -> None:
        from pgan_toolkit.evaluation.comparing import github_annotations, report_text

        if not self.quiet:
            if not isinstance(self.json, PrintedReport):
                echo(report_text(report))
            for warning in report.warnings:
                echo(f"warning: {warning}", err=True)
        if self.summary is not None:
            for line in github_annotations(report):
                echo(line)


def finish_evaluation(report: "Report", *, baseline: Path | None, quiet: bool) -> None:
    """Write the new baseline if it was asked for, and end the command as the verdicts are.

    Parameters
    ----------
    report : Report
        Its files have been written.
    baseline : Path | None
        Where it becomes the baseline, if it passed.
    quiet : bool
        Whether nothing is shown.

    Raises
    ------
    CheckFailed
        A threshold failed, or there is a regression.
    DataError
        The baseline cannot be compared with.
    SetupError
        The baseline cannot be written.
    """
    failed = [each for each in report.verdicts if each.status == "fail"]
    if failed:
        kept = f"; {baseline} was left as it is" if baseline else ""
        names = ", ".join(dict.fromkeys(each.score for each in failed))
        raise CheckFailed(f"{len(failed)} of {len(report.verdicts)} verdicts failed: {names}{kept}")
    unlike = [each for each in report.verdicts if each.status == "not comparable"]
    if unlike and report.baseline is not None:
        raise DataError(
            f"{report.fake['path']} against {report.real['path']}, and {report.baseline.path}: "
            f"{unlike[0].message} (and {len(unlike) - 1} more); make the baseline anew with "
            "--update-baseline, or measure as it was measured"
        )
    if baseline is not None:
        _write_baseline(report, baseline, quiet=quiet)


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
    try:
        with path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError as error:
        raise SetupError(f"{path}: cannot be written ({error.strerror or error})") from error
