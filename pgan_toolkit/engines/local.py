"""An ordered map over many items by this machine's processes."""

import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, Generic, TypeVar

from pgan_toolkit.engines.batches import BatchResult, BatchSize, portable, run_batch, with_retries
from pgan_toolkit.engines.processes import (
    ATTEMPTS_ALONE,
    die_with_parent,
    interrupts_held_back,
    workers_never_begin,
)
from pgan_toolkit.environment import usable_cores

__all__ = ["LocalEngine", "available_cores", "ordered_map"]

State = TypeVar("State")
Item = TypeVar("Item")
Value = TypeVar("Value")

_QUEUED_PER_WORKER = 4

_state: Any = None
"""What this worker process prepared once for all its items."""
_failure: Exception | None = None
"""Why it could not: raised by the first item, since an initializer's own error is lost."""


def available_cores() -> int:
    """Whole cores that this process may use, 1 or more: affinity and a container's quota count."""
    return max(1, int(usable_cores()))


def ordered_map(
    work: Callable[[State, Item], Value],
    items: Iterable[Item],
    *,
    prepare: Callable[[], State],
    on_lost: Callable[[Item], Value],
    workers: int,
) -> Generator[Value, None, None]:
    """Apply `work` to every item and yield the results in the items' order.

    At most 4 batches per worker are in flight, whatever the number of items; a batch is one item,
    or what takes 50 ms together. With one worker the work is done in this process. When a worker
    dies (killed for memory, a crash in a library), the items in flight are tried again one at a
    time, so that the one that kills its worker is found.

    A caller that may stop before the end does so in `with contextlib.closing(results)`: the
    processes are then gone when the block is left, however it is left.

    Parameters
    ----------
    work : callable
        A module-level function of (state, item). What it raises stops the map and is raised here.
    items : iterable
        Picklable items; read as they are needed.
    prepare : callable
        Makes a worker's state, once per worker: opened files, loaded nets.
    on_lost : callable
        The result that stands for an item whose worker died three times.
    workers : int
        Number of processes, 1 or more.

    Yields
    ------
    Value
        One result an item, in order.

    Raises
    ------
    SetupError
        Worker processes die before they have begun an item.
    """
    if workers == 1:
        state = prepare()
        yield from (with_retries(work, state, item) for item in items)
        return
    yield from _Pool(work, prepare, on_lost, workers).run(iter(items))


class LocalEngine:
    """Processes of this machine; with one worker the work is done in this process itself.

    Parameters
    ----------
    workers : int
        Processes, 1 or more.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def __enter__(self) -> "LocalEngine":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(
        self,
        work: Callable[[State, Item], Value],
        items: Iterable[Item],
        *,
        prepare: Callable[[], State],
        on_lost: Callable[[Item], Value],
        most: int | None = None,
    ) -> Generator[Value, None, None]:
        """Apply `work` to every item, as `ordered_map`, by `most` processes at most."""
        workers = self.workers if most is None else max(1, min(self.workers, most))
        return ordered_map(work, items, prepare=prepare, on_lost=on_lost, workers=workers)


class _Pool(Generic[State, Item, Value]):
    """Worker processes that are replaced when one of them dies."""

    def __init__(
        self,
        work: Callable[[State, Item], Value],
        prepare: Callable[[], State],
        on_lost: Callable[[Item], Value],
        workers: int,
    ) -> None:
        self._work, self._prepare, self._on_lost, self._workers = work, prepare, on_lost, workers
        self._executor = self._start(workers)
        self._size = BatchSize()

    def run(self, items: Iterator[Item]) -> Iterator[Value]:
        in_flight: deque[tuple[list[Item], Future[BatchResult[Value]]]] = deque()
        try:
            while True:
                while len(in_flight) < self._workers * _QUEUED_PER_WORKER:
                    batch = list(islice(items, self._size.items))
                    if not batch:
                        break
                    in_flight.append((batch, self._submit(batch)))
                if not in_flight:
                    return
                if _worker_died(in_flight[0][1]):
                    yield from self._one_at_a_time(in_flight)
                    in_flight.clear()
                else:
                    yield from self._results(in_flight.popleft()[1])
        finally:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def _results(self, future: Future[BatchResult[Value]]) -> Iterator[Value]:
        result = future.result()
        self._size.learn(result.item_seconds)
        yield from result.values
        if result.error is not None:
            raise result.error

    def _one_at_a_time(
        self, suspects: Iterable[tuple[list[Item], Future[BatchResult[Value]]]]
    ) -> Iterator[Value]:
        """Do again, in one process, what was unfinished when a worker died."""
        self._restart_alone()
        for batch, future in suspects:
            if not _worker_died(future):
                yield from self._results(future)
                continue
            for item in batch:
                yield from self._alone(item)
        self._restart(self._workers)

    def _alone(self, item: Item) -> Iterator[Value]:
        for _ in range(ATTEMPTS_ALONE):
            future = self._submit([item])
            if not _worker_died(future):
                return self._results(future)
            self._restart_alone()
        return iter([self._on_lost(item)])

    def _submit(self, batch: list[Item]) -> Future[BatchResult[Value]]:
        try:
            with interrupts_held_back():
                return self._executor.submit(_apply, self._work, batch)
        except BrokenProcessPool as error:  # a worker died just before: the same as just after
            refused: Future[BatchResult[Value]] = Future()
            refused.set_exception(error)
            return refused

    def _restart_alone(self) -> None:
        """Go on with one process, and see that it lives before an item can be blamed."""
        for _ in range(ATTEMPTS_ALONE):
            self._restart(1)
            with interrupts_held_back():
                alive = self._executor.submit(_is_alive)
            if not _worker_died(alive):
                return
        raise workers_never_begin("; use fewer --workers")

    def _restart(self, workers: int) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._executor = self._start(workers)

    def _start(self, workers: int) -> ProcessPoolExecutor:
        # Spawned, not forked: OpenCV and torch do not survive a fork with threads running.
        return ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_initialize,
            initargs=(self._prepare,),
        )


def _initialize(prepare: Callable[[], Any]) -> None:
    global _state, _failure  # noqa: PLW0603 - a worker process has one state, by construction
    # Ctrl-C reaches the whole process group; the parent decides what happens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=die_with_parent, daemon=True).start()
    try:
        _state = prepare()
    except Exception as error:  # noqa: BLE001 - handed to the parent with the first item
        _failure = error


def _apply(work: Callable[[Any, Item], Value], batch: list[Item]) -> BatchResult[Value]:
    if _failure is not None:
        return BatchResult([], portable(_failure))
    return run_batch(work, _state, batch)


def _is_alive() -> bool:
    return True


def _worker_died(future: Future[Any]) -> bool:
    """Wait for the future, and say whether its worker died of it or beside it."""
    return isinstance(future.exception(), BrokenProcessPool)
