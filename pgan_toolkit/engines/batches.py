"""Items go to workers in batches; a worker tries again what failed for a passing reason."""

import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pgan_toolkit.transience import is_transient

__all__ = ["BatchResult", "BatchSize", "portable", "run_batch", "with_retries"]

State = TypeVar("State")
Item = TypeVar("Item")
Value = TypeVar("Value")
Raised = TypeVar("Raised", bound=BaseException)

_BATCH_SECONDS = 0.05
_LARGEST_BATCH = 512
_PAUSES_S = (0.5, 2.0, 8.0)


@dataclass(frozen=True)
class BatchResult(Generic[Value]):
    """The results of a batch up to the first error, that error, and the time an item took."""

    values: list[Value]
    error: Exception | None = None
    item_seconds: float = _BATCH_SECONDS


class BatchSize:
    """How many items to send together: 1 of what takes 50 ms and more, up to 512 of less.

    Sending a batch takes about a millisecond.
    """

    def __init__(self) -> None:
        self.items = 1

    def learn(self, item_seconds: float) -> None:
        """Take note of what an item took; sizes grow to four times at most."""
        fitting = int(_BATCH_SECONDS / max(item_seconds, 1e-9))
        self.items = max(1, min(fitting, 4 * self.items, _LARGEST_BATCH))


def run_batch(
    work: Callable[[State, Item], Value], state: State, items: Sequence[Item]
) -> BatchResult[Value]:
    """Apply `work` to items in turn, until one raises an error."""
    start, values = time.perf_counter(), list[Value]()
    try:
        for item in items:
            values.append(with_retries(work, state, item))
    except Exception as error:  # noqa: BLE001 - raised where the results are taken
        return BatchResult(values, portable(error))
    return BatchResult(values, None, (time.perf_counter() - start) / len(items))


def with_retries(work: Callable[[State, Item], Value], state: State, item: Item) -> Value:
    """Return work(state, item); after a transient error try again, three times at most.

    The pauses are 0.5, 2 and 8 seconds. What `work` itself has tried again and given up
    (`RetriesExhausted`) is not repeated.
    """
    for pause_s in _PAUSES_S:
        try:
            return work(state, item)
        except Exception as error:
            if not is_transient(error):
                raise
        time.sleep(pause_s)
    return work(state, item)


def portable(error: Raised) -> Raised | RuntimeError:
    """Return the error, or what it says where it would be lost on the way to another process."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - what this process has just made
    except Exception:  # noqa: BLE001 - whatever a class's own reconstruction raises
        told = RuntimeError(f"{type(error).__name__}: {error}")
        return told.with_traceback(error.__traceback__)
    return error
