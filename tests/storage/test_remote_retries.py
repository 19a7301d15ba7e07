"""Which failures are tried again, how often, and what is said in the end."""

import errno

import pytest

from pgan_toolkit.errors import DataError, SetupError
from pgan_toolkit.storage.remote import retrying
from pgan_toolkit.storage.remote.retrying import RetryPolicy, retried
from pgan_toolkit.transience import RetriesExhausted

QUICK = RetryPolicy(attempts=4, first_wait_s=0.0)


class HttpError(Exception):
    """As aiohttp, gcsfs and others tell a status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}, url='https://cdn/x?Signature=hunter2'")
        self.status = status


class ClientPayloadError(Exception):
    """Named as aiohttp's."""


def _throttled() -> OSError:
    """As s3fs raises it: its own error, caused by botocore's."""
    told = OSError(errno.EBUSY, "Please reduce your request rate.")
    cause = Exception("SlowDown")
    cause.response = {"ResponseMetadata": {"HTTPStatusCode": 503}}  # type: ignore[attr-defined]
    told.__cause__ = cause
    return told


@pytest.mark.parametrize(
    "error",
    [HttpError(429), HttpError(503), _throttled(), TimeoutError(), ConnectionResetError(),
     ClientPayloadError()],
)  # fmt: skip
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    tries = []

    def work() -> str:
        tries.append(1)
        if len(tries) < QUICK.attempts:
            raise error
        return "done"

    assert retried(work, url="s3://b/x", policy=QUICK) == "done"
    assert len(tries) == QUICK.attempts


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (FileNotFoundError("x"), FileNotFoundError, "no such object"),
        (HttpError(404), FileNotFoundError, "no such object"),
        (PermissionError("Forbidden"), SetupError, "access denied"),
        (HttpError(401), SetupError, "access denied"),
        (HttpError(412), DataError, "was replaced"),
        (ValueError("odd"), SetupError, "cannot be used"),
    ],
)
def test_what_will_not_pass_is_told_at_once(
    error: Exception, kind: type[Exception], said: str
) -> None:
    tries = []

    def work() -> None:
        tries.append(1)
        raise error

    with pytest.raises(kind, match=said) as told:
        retried(work, url="s3://b/x", policy=QUICK)
    assert len(tries) == 1
    assert "s3://b/x" in str(told.value)
    assert "hunter2" not in str(told.value)
    assert not isinstance(told.value, RetriesExhausted)


def test_the_attempts_are_bounded_and_the_url_is_named() -> None:
    tries = []

    def work() -> None:
        tries.append(1)
        raise _throttled()

    with pytest.raises(RetriesExhausted, match=r"s3://b/x: .*reduce your request.*503.*4 attempts"):
        retried(work, url="s3://b/x", policy=QUICK)
    assert len(tries) == 4


def test_the_waits_grow_are_drawn_and_are_bounded() -> None:
    policy = RetryPolicy()
    drawn = [[policy.wait_s(attempt) for _ in range(200)] for attempt in range(10)]
    for attempt, waits in enumerate(drawn):
        most = min(policy.longest_wait_s, policy.first_wait_s * 2**attempt)
        assert 0 <= min(waits) < most / 4
        assert most * 3 / 4 < max(waits) <= most


def test_no_wait_follows_the_last_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(retrying.time, "sleep", waits.append)
    with pytest.raises(SetupError):
        retried(lambda: (_ for _ in ()).throw(TimeoutError()), url="s3://b/x", policy=QUICK)
    assert len(waits) == QUICK.attempts - 1
