"""An ordered map by few processes of many threads each, for workers that share a device.

A process holds what is dear (a GPU, its context, the nets on it) once, and its threads take turns
with it: while one computes, others read, decode and encode, which releases Python's lock.
"""

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, TypeVar

from pgan_toolkit.engines.batches import portable, with_retries
from pgan_toolkit.engines.processes import (
    ATTEMPTS_ALONE,
    die_with_parent,
    interrupts_held_back,
    workers_never_begin,
)
from pgan_toolkit.engines.threads import threaded_map

__all__ = ["LaneEngine"]

State = TypeVar("State")
Item = TypeVar("Item")
Value = TypeVar("Value")

_AHEAD_PER_LANE = 4


class LaneEngine:
    """Processes of this machine, each of whose threads works on an item of its own.

    Parameters
    ----------
    environments : sequence of mapping
        One process for each, with these environment variables besides this process's own.
    threads : int
        Of each process, 1 or more.
    """

    def __init__(self, environments: Sequence[Mapping[str, str]], *, threads: int) -> None:
        self.environments, self._threads = environments, threads
        self.workers = len(environments) * threads

    def __enter__(self) -> "LaneEngine":
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
        """Apply `work` to every item and yield the results in the items' order.

        At most 4 items a thread are in flight. When a process dies, the items that it had are
        tried again one at a time in a process of one thread, so that the one that kills it is
        found. A caller that may stop before the end does so in `with contextlib.closing(results)`.

        Parameters
        ----------
        work : callable
            A module-level function of (state, item), called by several threads at once. What it
            raises stops the map and is raised here, as is why its result cannot be sent.
        items : iterable
            Picklable items; read as they are needed.
        prepare : callable
            Makes a process's state, once for all its threads. Picklable.
        on_lost : callable
            The result that stands for an item whose process died of it twice.
        most : int | None
            Threads in all, at most; None: all.

        Raises
        ------
        SetupError
            Processes die before they have begun an item.
        """
        threads = self._threads
        if most is not None:
            threads = max(1, min(threads, -(-most // len(self.environments))))
        crew = _Crew(work, prepare, on_lost, self.environments, threads)
        lanes = len(self.environments) * threads
        try:
            yield from threaded_map(crew.call, items, workers=lanes, ahead=_AHEAD_PER_LANE * lanes)
        finally:
            crew.close()


class _Died(Exception):
    """A process ended before it answered."""


class _Crew(Generic[State, Item, Value]):
    """All processes, and the lanes that no item is on."""

    def __init__(
        self,
        work: Callable[[State, Item], Value],
        prepare: Callable[[], State],
        on_lost: Callable[[Item], Value],
        environments: Sequence[Mapping[str, str]],
        threads: int,
    ) -> None:
        self._work, self._on_lost = work, on_lost
        self._processes = [_Process(each, prepare, threads) for each in environments]
        self._spare = _Process(environments[0], prepare, 1)
        self._one_at_a_time = threading.Lock()
        self._free: queue.SimpleQueue[tuple[_Process, int]] = queue.SimpleQueue()
        for lane in range(threads):
            for process in self._processes:
                self._free.put((process, lane))

    def call(self, item: Item) -> Value:
        """Have an item done by a lane that is free."""
        process, lane = self._free.get()
        try:
            return self._asked(process, lane, item)
        except _Died:
            return self._alone(item)
        finally:
            self._free.put((process, lane))

    def close(self) -> None:
        """End the processes."""
        for process in (*self._processes, self._spare):
            process.close()

    def _alone(self, item: Item) -> Value:
        with self._one_at_a_time:
            for _ in range(ATTEMPTS_ALONE):
                try:
                    return self._asked(self._spare, 0, item)
                except _Died:
                    continue
        return self._on_lost(item)

    def _asked(self, process: "_Process", lane: int, item: Item) -> Value:
        answer = process.ask(lane, (self._work, item))
        if answer.error is not None:
            raise answer.error
        value: Value = answer.value
        return value


@dataclass(frozen=True, eq=False)
class _Answer:
    value: Any
    error: BaseException | None = None


@dataclass(frozen=True, eq=False)
class _Running:
    process: SpawnProcess
    lanes: list[Connection]


class _Process:
    """A process that is started when it is first asked, and again after it has died."""

    def __init__(
        self, environment: Mapping[str, str], prepare: Callable[[], Any], threads: int
    ) -> None:
        self._environment, self._prepare, self._threads = dict(environment), prepare, threads
        self._running: _Running | None = None
        self._lock = threading.Lock()

    def ask(self, lane: int, question: object) -> "_Answer":
        """Send a question along a lane and wait for the answer; _Died if there is none."""
        running = self._started()
        try:
            running.lanes[lane].send(question)
            answer: _Answer = running.lanes[lane].recv()
        except (EOFError, OSError):
            self._forget(running)
            raise _Died from None
        return answer

    def close(self) -> None:
        """Let the process end, and wait until it has."""
        with self._lock:
            if self._running is not None:
                for lane in self._running.lanes:
                    lane.close()
                self._running.process.join()
                self._running = None

    def _forget(self, running: _Running) -> None:
        with self._lock:
            if self._running is running:
                running.process.kill()
                running.process.join()
                self._running = None

    def _started(self) -> _Running:
        with self._lock:
            for _ in range(ATTEMPTS_ALONE):
                if self._running is not None:
                    return self._running
                self._running = self._start()
            if self._running is not None:
                return self._running
        raise workers_never_begin()

    def _start(self) -> _Running | None:
        """Start a process and wait until it has prepared; None if it died of it."""
        context = multiprocessing.get_context("spawn")
        told, tells = context.Pipe(duplex=False)
        pairs = [context.Pipe() for _ in range(self._threads)]
        theirs = [there for _, there in pairs]
        arguments = (self._environment, self._prepare, theirs, tells)
        process = context.Process(target=_serve, args=arguments, daemon=True)
        with interrupts_held_back():
            process.start()
        for end in (*theirs, tells):
            end.close()
        try:
            failure: Exception | None = told.recv()
        except EOFError:
            process.join()
            return None
        if failure is not None:
            process.join()
            raise failure
        return _Running(process, [here for here, _ in pairs])


def _serve(
    environment: Mapping[str, str],
    prepare: Callable[[], Any],
    lanes: Sequence[Connection],
    tells: Connection,
) -> None:
    """Prepare, then answer along all lanes until they are closed."""
    os.environ.update(environment)
    # Ctrl-C reaches the whole process group; the parent decides what happens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=die_with_parent, daemon=True).start()
    try:
        state = prepare()
    except Exception as error:  # noqa: BLE001 - raised again in the parent
        tells.send(portable(error))
        return
    tells.send(None)
    threads = [threading.Thread(target=_answer, args=(state, lane)) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _answer(state: Any, lane: Connection) -> None:
    """Answer until the parent closes the lane.

    Closed at this end, however that comes, it is to the parent as if the process had died: the
    process lives on, and an answer that never comes would be waited for without end.
    """
    with lane, contextlib.suppress(EOFError, OSError):
        while True:
            lane.send_bytes(_answered(state, lane.recv_bytes()))


def _answered(state: Any, question: bytes) -> memoryview:
    """Return the pickled answer: a result, or what was raised by unpickling, work or pickling."""
    try:
        work, item = ForkingPickler.loads(question)
        return ForkingPickler.dumps(_Answer(with_retries(work, state, item)))
    except BaseException as error:  # noqa: BLE001 - SystemExit too is raised again in the parent
        return ForkingPickler.dumps(_Answer(None, portable(error)))
