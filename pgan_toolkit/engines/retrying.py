"""What a worker does around an item: tries again what failed for a passing reason."""

import errno
import pickle
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

__all__ = ["is_transient", "portable", "with_retries"]

State = TypeVar("State")
Item = TypeVar("Item")
Value = TypeVar("Value")

_PAUSES_S = (0.5, 2.0, 8.0)
_TRANSIENT = {
    errno.EAGAIN,
    errno.ECONNABORTED,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.ESTALE,
    errno.ETIMEDOUT,
}


def is_transient(error: BaseException) -> bool:
    """Whether a network or a network's disk failed, so that the same may work a little later.

    The errors that it was raised from count: storage explains the system's errors in its own.
    """
    return any(
        isinstance(cause, (ConnectionError, TimeoutError))
        or (isinstance(cause, OSError) and cause.errno in _TRANSIENT)
        for cause in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def with_retries(work: Callable[[State, Item], Value], state: State, item: Item) -> Value:
    """Return work(state, item); after a transient error try again, three times at most.

    The pauses are 0.5, 2 and 8 seconds.
    """
    for pause_s in _PAUSES_S:
        try:
            return work(state, item)
        except Exception as error:
            if not is_transient(error):
                raise
        time.sleep(pause_s)
    return work(state, item)


def portable(error: Exception) -> Exception:
    """Return the error, or what it says where it would be lost on the way to another process."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - what this process has just made
    except Exception:  # noqa: BLE001 - whatever a class's own reconstruction raises
        told = RuntimeError(f"{type(error).__name__}: {error}")
        return told.with_traceback(error.__traceback__)
    return error
