"""Places of reports, taken before the work that fills them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pgan_cli.terminal import echo

from pgan_toolkit.errors import SetupError, UsageError

if TYPE_CHECKING:  # it would load all that storage needs, which --help does without
    from pgan_toolkit.storage import AtomicPath

__all__ = ["STANDARD_OUTPUT", "PrintedReport", "Report", "json_place", "report_place"]

STANDARD_OUTPUT = Path("-")
"""What names it in place of a file, where `json_place` takes the report."""


@dataclass(frozen=True)
class Report:
    """A file that is being made, and appears when all went well.

    Attributes
    ----------
    path : Path
        What the user calls it.
    temporary : Path
        Where it is written, beside it.
    """

    path: Path
    temporary: Path

    def write(self, data: bytes) -> None:
        """Write all of it.

        Raises
        ------
        SetupError
            It cannot be written; the message names `path`.
        """
        with self.writing() as temporary:
            temporary.write_bytes(data)

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Give `temporary`, and tell errors of writing there as `write` does."""
        with _told(self.path):
            yield self.temporary


@dataclass(frozen=True)
class PrintedReport:
    """Standard output in the place of a file; nothing else is to be printed there."""

    def write(self, data: bytes) -> None:
        """Print all of it."""
        echo(data.decode(), nl=False)


@contextmanager
def json_place(
    report: Path | None, *, required: bool = False
) -> Iterator[Report | PrintedReport | None]:
    """Take the place of JSON as `report_place` does, or standard output for `STANDARD_OUTPUT`."""
    if report == STANDARD_OUTPUT:
        yield PrintedReport()
        return
    with report_place(report, required=required) as place:
        yield place


@contextmanager
def report_place(report: Path | None, *, required: bool = False) -> Iterator[Report | None]:
    """Take a report's place before hours of work, so that it is not found wanting after them.

    Parameters
    ----------
    report : Path | None
        The file; one that exists is replaced when all went well. None: no report.
    required : bool
        Whether there is nothing else that would show the result: --quiet was given.

    Yields
    ------
    Report | None
        What to write.

    Raises
    ------
    UsageError
        Its folder does not exist, it is no file, or it is required and was not named.
    SetupError
        It cannot be written.
    """
    if report is None:
        if required:
            raise UsageError(
                "--quiet shows no result: name a file for it (--json FILE), print it as JSON "
                "(--json -), or leave --quiet out"
            )
        yield None
        return
    place = _taken(report)
    try:
        yield Report(report, place.temporary)
    except BaseException:
        place.discard()
        raise
    with _told(report):
        place.commit()


def _taken(report: Path) -> "AtomicPath":
    from pgan_toolkit.storage import AtomicPath

    if report == STANDARD_OUTPUT:
        raise UsageError("-: name a file; JSON alone is printed in place of one (--json -)")
    if not report.parent.is_dir():
        raise UsageError(f"{report}: there is no folder {report.parent}; make it first")
    if report.is_dir():
        raise UsageError(f"{report}: is a folder; name a file")
    with _told(report):
        return AtomicPath(report, overwrite=True)


@contextmanager
def _told(report: Path) -> Iterator[None]:
    """Name the file that the user knows, not the temporary one beside it."""
    try:
        yield
    except OSError as error:
        raise SetupError(
            f"{report}: cannot be written ({error.strerror or error}); choose another place"
        ) from error
