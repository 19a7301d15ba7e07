"""An ordered map by threads, for work that releases Python's lock as decoding does."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_order"]

Item = TypeVar("Item")
Value = TypeVar("Value")


def in_order(
    work: Callable[[Item], Value], items: Iterable[Item], *, workers: int
) -> Generator[Value, None, None]:
    """Yield the results of `work` in the items' order, few of them ahead of the caller.

    What `work` raises is raised here, at the place of its item. A caller that may stop before the
    end does so in `with contextlib.closing(results)`: no thread is left then.

    Parameters
    ----------
    work : callable
        Of an item; called by several threads at once.
    items : iterable
        Read as they are needed.
    workers : int
        Threads, 1 or more; 4 results a thread wait at most.
    """
    pending: deque[Future[Value]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) >= 4 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
