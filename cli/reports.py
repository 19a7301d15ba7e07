"""Places of reports, taken before the work that fills them."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from pgan_toolkit.errors import SetupError, UsageError
from pgan_toolkit.storage import AtomicPath

__all__ = ["report_place"]


def report_place(report: Path | None) -> AbstractContextManager[Path | None]:
    """Take a report's place before hours of work, so that it is not found wanting after them.

    Parameters
    ----------
    report : Path | None
        The file; one that exists is replaced when all went well. None: no report.

    Returns
    -------
    context manager
        Gives the file to write to, or None.

    Raises
    ------
    UsageError
        Its folder does not exist.
    SetupError
        It cannot be written.
    """
    if report is None:
        return nullcontext()
    if not report.parent.is_dir():
        raise UsageError(f"{report}: there is no folder {report.parent}; make it first")
    if report.is_dir():
        raise UsageError(f"{report}: is a folder; name a file")
    try:
        return AtomicPath(report, overwrite=True)
    except OSError as error:
        # It would name a temporary file beside the one that the user knows.
        raise SetupError(
            f"{report}: cannot be written ({error.strerror or error}); choose another place"
        ) from error
