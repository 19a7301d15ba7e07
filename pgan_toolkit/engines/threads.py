"""An ordered map by threads with bounded work in flight, for work that releases Python's lock."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["threaded_map"]

Item = TypeVar("Item")
Value = TypeVar("Value")


def threaded_map(
    work: Callable[[Item], Value], items: Iterable[Item], *, workers: int, ahead: int
) -> Generator[Value, None, None]:
    """Apply `work` to every item and yield the results in the items' order.

    Decoding a picture or hashing a file releases Python's lock, so that threads are enough. What
    `work` raises is raised here, at the place of its item. A caller that may stop before the end
    does so in `with contextlib.closing(results)`.

    Parameters
    ----------
    work : callable
        Of an item; called by several threads at once.
    items : iterable
        Read as they are needed.
    workers : int
        Threads, 1 or more.
    ahead : int
        Results, at most, that wait for the caller; no fewer than two a thread.
    """
    pending: deque[Future[Value]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) >= max(ahead, 2 * workers):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
