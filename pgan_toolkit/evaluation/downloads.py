"""Downloads that continue where they broke off, and show a file only when it is the right one.

What has come so far lies beside the file as NAME.part; a lock, NAME.lock, makes other processes
that want the same file wait for it.
"""

import contextlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pgan_toolkit.digests import file_digest
from pgan_toolkit.errors import DataError, SetupError
from pgan_toolkit.progress import Progress, ProgressMode
from pgan_toolkit.storage import lock_file
from pgan_toolkit.storage.atomic import sync_to_disk

__all__ = ["Download", "fetch"]

_MEGABYTE = 1_000_000
_TIMEOUT_S = 30.0  # of silence
_ATTEMPTS = 4
_POLL_S = 0.2
_PARTIAL_CONTENT, _RANGE_NOT_SATISFIABLE = 206, 416


@dataclass(frozen=True)
class Download:
    """A file to fetch.

    Attributes
    ----------
    url : str
        Where it is.
    path : Path
        What it shall be; missing folders are made.
    size_bytes : int
        Its size: never more is taken.
    sha256 : str
        Its digest, or the first digits of it.
    """

    url: str
    path: Path
    size_bytes: int
    sha256: str

    @property
    def part(self) -> Path:
        """Where it lies while it is not complete."""
        return self.path.with_name(f"{self.path.name}.part")


class _BrokenOffError(Exception):
    """The connection ended early; what came is kept."""


def fetch(wanted: Download, *, remedy: str, progress: ProgressMode = "auto") -> Path:
    """Download a file, or wait until another process has.

    Parameters
    ----------
    wanted : Download
        What, and where to.
    remedy : str
        What the user can do instead; ends the messages.
    progress : {"auto", "quiet"}
        How it is shown.

    Returns
    -------
    Path
        `wanted.path`, complete and of the right digest.

    Raises
    ------
    SetupError
        No connection, the server has no such file, or it cannot be written here. What came so far
        stays, and the next call continues.
    DataError
        The server's file has another digest. Nothing of it stays.
    """
    try:
        wanted.path.parent.mkdir(parents=True, exist_ok=True)
        with _held(wanted.path.with_name(f"{wanted.path.name}.lock"), remedy=remedy):
            if not wanted.path.exists():
                _download(wanted, remedy=remedy, progress=progress)
    except OSError as error:
        raise SetupError(f"{wanted.path}: cannot be made ({error}); {remedy}") from error
    return wanted.path


@contextlib.contextmanager
def _held(lock: Path, *, remedy: str) -> Iterator[None]:
    """Hold a lock as soon as it is free; that of a process that died is."""
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(lock_file(lock, work="download"))
            except SetupError as error:
                if not isinstance(error.__cause__, BlockingIOError):
                    raise SetupError(f"{lock}: cannot be locked; {remedy}") from error
                time.sleep(_POLL_S)
            else:
                break
        yield


def _download(wanted: Download, *, remedy: str, progress: ProgressMode) -> None:
    continued = wanted.part.exists()
    _complete(wanted, remedy=remedy, progress=progress)
    if continued and not _is_right(wanted):  # what lay there may have been of another file
        wanted.part.unlink()
        _complete(wanted, remedy=remedy, progress=progress)
    if not _is_right(wanted):
        digest, size = file_digest(wanted.part), wanted.part.stat().st_size
        wanted.part.unlink()
        raise DataError(
            f"{wanted.url}: SHA-256 {digest}, {size:,} bytes; expected {wanted.sha256}, "
            f"{wanted.size_bytes:,} bytes; it was not kept; {remedy}"
        )
    sync_to_disk(wanted.part)
    wanted.part.replace(wanted.path)


def _is_right(wanted: Download) -> bool:
    return file_digest(wanted.part).startswith(wanted.sha256)


def _complete(wanted: Download, *, remedy: str, progress: ProgressMode) -> None:
    """Bring the part to its size, over connections that break off."""
    problem = ""
    for _ in range(_ATTEMPTS):
        try:
            _receive(wanted, progress=progress)
        except urllib.error.HTTPError as error:
            problem = f"the server answers {error.code} {error.reason}"
            error.close()
            break
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError) as error:
            problem = str(getattr(error, "reason", error)) or type(error).__name__
        except (TimeoutError, _BrokenOffError) as error:
            problem = str(error) or "no answer"
        else:
            return
    kept = f"; {_size(wanted.part):,} bytes are kept in {wanted.part}" if _size(wanted.part) else ""
    raise SetupError(f"{wanted.url}: {problem}{kept}; {remedy}")


def _receive(wanted: Download, *, progress: ProgressMode) -> None:
    """Ask once for what is missing, and write it; progress is shown once the server answers."""
    begun = _size(wanted.part)
    if begun == wanted.size_bytes:
        return
    if begun > wanted.size_bytes:
        wanted.part.unlink()
        begun = 0
    request = urllib.request.Request(wanted.url)  # noqa: S310 - the addresses are the manifest's
    if begun:
        request.add_header("Range", f"bytes={begun}-")
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code != _RANGE_NOT_SATISFIABLE:
            raise
        error.close()
        wanted.part.unlink()
        raise _BrokenOffError("the server's file is shorter than what was here of it") from error
    with answer:
        goes_on = answer.status == _PARTIAL_CONTENT and _starts_at(answer, begun)
        if answer.status == _PARTIAL_CONTENT and not goes_on:
            wanted.part.unlink(missing_ok=True)
            raise _BrokenOffError("the server sent another part than was asked for")
        with wanted.part.open("ab" if goes_on else "wb") as file:
            # The length is None where the server gives none, or none that is a number.
            due = file.tell() + (wanted.size_bytes if answer.length is None else answer.length)
            size = _copy(answer, file, wanted, progress=progress)
    if size < min(due, wanted.size_bytes):
        raise _BrokenOffError(f"the connection ended after {size:,} of {wanted.size_bytes:,} bytes")


def _starts_at(answer: http.client.HTTPResponse, begun: int) -> bool:
    return (answer.headers.get("Content-Range") or "").startswith(f"bytes {begun}-")


def _copy(
    answer: http.client.HTTPResponse, file: IO[bytes], wanted: Download, *, progress: ProgressMode
) -> int:
    """Write what comes, of a file that is too long one byte too many; return the size now."""
    size = file.tell()
    with Progress(
        wanted.size_bytes // _MEGABYTE,
        label=wanted.path.name,
        unit="megabyte",
        mode=progress,
        initial=size // _MEGABYTE,
    ) as bar:
        while size <= wanted.size_bytes and (
            chunk := answer.read(min(_MEGABYTE, wanted.size_bytes + 1 - size))
        ):
            file.write(chunk)
            size += len(chunk)
            bar.advance(max(size // _MEGABYTE - bar.done, 0))
    return size


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
