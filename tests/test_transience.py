"""What may pass, and what will not: for requests to a storage and for any other work alike."""

import errno

import pytest

from pgan_toolkit.errors import DataError, SetupError
from pgan_toolkit.transience import RetriesExhausted, is_transient, status_of


class HttpError(Exception):
    """As aiohttp, gcsfs and others tell a status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class ClientPayloadError(Exception):
    """Named as aiohttp's."""


def _throttled() -> Exception:
    """As s3fs raises it: its own error, caused by botocore's."""
    cause = Exception("SlowDown")
    cause.response = {"ResponseMetadata": {"HTTPStatusCode": 503}}  # type: ignore[attr-defined]
    return _caused(cause, by=OSError(errno.EBUSY, "Please reduce your request rate."))


def _caused(cause: Exception, *, by: Exception | None = None) -> Exception:
    error = by or DataError("a.jpg: cannot be read")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (_caused(OSError(errno.ESTALE, "stale")), True),
        (_caused(_caused(BrokenPipeError())), True),
        (_caused(ConnectionResetError(), by=SetupError("the source fails")), True),
        (HttpError(429), True),
        (HttpError(503), True),
        (_throttled(), True),
        (ClientPayloadError(), True),
        (HttpError(404), False),
        (_caused(FileNotFoundError(errno.ENOENT, "none")), False),
        (_caused(OSError(errno.EIO, "bad sector")), False),
        (OSError(errno.ENOSPC, "full"), False),
        (DataError("not a picture"), False),
    ],
)
def test_networks_pass_and_files_stay_as_they_are(error: Exception, passing: bool) -> None:
    assert is_transient(error) is passing


def test_what_was_given_up_after_retries_is_not_begun_anew() -> None:
    given_up = _caused(TimeoutError(), by=RetriesExhausted("s3://b/x: 7 attempts"))
    assert not is_transient(given_up)
    assert not is_transient(_caused(given_up))


def test_the_status_is_that_of_the_error_or_its_cause() -> None:
    assert status_of(_throttled()) == 503
    assert status_of(_caused(HttpError(404))) == 404
    assert status_of(ValueError("odd")) is None
