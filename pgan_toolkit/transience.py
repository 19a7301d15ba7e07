"""Which failures may pass, so that the same may succeed a little later: the one place to decide."""

import errno
from collections.abc import Iterator

from pgan_toolkit.errors import SetupError

__all__ = ["RetriesExhausted", "causes", "class_names", "is_transient", "status_of"]

_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_ERRNO = frozenset(
    {errno.EAGAIN, errno.EBUSY, errno.ETIMEDOUT, errno.EPIPE, errno.ESTALE}
    | {errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET}
    | {errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH}
    | {getattr(errno, "EREMOTEIO", -1)}
)
"""Of networks and of disks behind them. s3fs tells that it is throttled by EBUSY."""
_NAMES = frozenset(
    # aiohttp; botocore; urllib3 and requests; httpx
    {"ClientConnectionError", "ClientPayloadError", "ServerTimeoutError", "HTTPClientError"}
    | {"ConnectionError", "TimeoutError"}  # Python's own too
    | {"ResponseStreamingError", "IncompleteReadError", "IncompleteRead", "ProtocolError"}
    | {"Timeout", "TransportError", "FSTimeoutError", "ChecksumError"}
)
"""Classes, by name: no package of a storage is imported to tell them."""
_STATUS_ATTRIBUTES = ("response", "status", "code")
"""Where errors tell the status, in turn: aiohttp warns of those that look at its `code`."""


class RetriesExhausted(SetupError):
    """What failed was tried again until it was given up; whoever sees this does not begin anew."""


def is_transient(error: BaseException) -> bool:
    """Whether a network or a network's disk failed, so that the same may work a little later.

    Throttling, a timeout, a break. The errors that it was raised from count: the toolkit explains
    the system's errors in its own. What was given up after retries does not count any more.
    """
    chain = list(causes(error))
    if any(isinstance(each, RetriesExhausted) for each in chain):
        return False
    # By name first: aiohttp gives an answer that was cut short the status of a bad request.
    if any(not _NAMES.isdisjoint(class_names(each)) for each in chain):
        return True
    status = status_of(error)
    if status is not None:
        return status in _STATUS
    return any(isinstance(each, OSError) and each.errno in _ERRNO for each in chain)


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status that an error, or what caused it, tells of."""
    for each in causes(error):
        for name in _STATUS_ATTRIBUTES:
            found = getattr(each, name, None)
            if isinstance(found, dict):  # botocore's response
                found = found.get("ResponseMetadata", {}).get("HTTPStatusCode")
            value = getattr(found, "status_code", found)
            if isinstance(value, int) and 100 <= value < 600:
                return value
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__


def class_names(error: BaseException) -> set[str]:
    """Return the names of an error's class and of those that it derives from."""
    return {kind.__name__ for kind in type(error).__mro__}
