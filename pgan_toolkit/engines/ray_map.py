"""An ordered map by actors of a Ray cluster: which batch is where, and what is lost with a node.

A batch is in the window from when its items are read until its results are yielded; the window
keeps the items' order. Actors take batches from it, two each, so that none waits for the driver.
"""

import contextlib
import os
import re
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

from pgan_toolkit.engines.batches import BatchResult, BatchSize, portable, run_batch
from pgan_toolkit.errors import SetupError

try:
    import ray
    from ray.exceptions import (
        NodeDiedError,
        ObjectLostError,
        OutOfMemoryError,
        RayActorError,
        RayError,
        WorkerCrashedError,
    )
except ImportError as error:
    raise SetupError(
        f"--engine ray: Ray is not installed ({error}); pip install 'pgan-toolkit[ray]'"
    ) from error

__all__ = ["RayMap"]

State = TypeVar("State")
Item = TypeVar("Item")
Value = TypeVar("Value")

_LOST = (NodeDiedError, ObjectLostError, OutOfMemoryError, RayActorError, WorkerCrashedError)
_BATCHES_PER_ACTOR = 2
_WINDOW_PER_ACTOR = 4
_MOST_STRIKES = 3
_POLL_SECONDS = 1.0
_MEMORY_OF_NODE = re.compile(r"Memory on the node .*? used / \S+ limit")
_MEMORY_PAUSES_S = 0.5, 8.0  # the first and the longest


@dataclass(eq=False)
class _Batch(Generic[Item, Value]):
    """Consecutive items; `result` is None until they are done."""

    items: list[Item]
    result: BatchResult[Value] | None = None
    strikes: int = 0


@dataclass(eq=False)
class _Actor(Generic[Item, Value]):
    """A worker: `node` is None until it is ready; `sent` are its batches, the oldest first."""

    handle: Any
    ready: Any
    node: str | None = None
    sent: deque[tuple[Any, _Batch[Item, Value]]] = field(default_factory=deque)

    def takes(self, batch: _Batch[Item, Value]) -> bool:
        """Whether it has room for a batch; one under suspicion is alone with its worker.

        Where a worker ends, the answer before may be lost with it, and its batch be blamed.
        """
        if batch.strikes or any(each.strikes for _, each in self.sent):
            return not self.sent
        return len(self.sent) < _BATCHES_PER_ACTOR


@dataclass
class _Shortage:
    """Of memory: since Ray ended a worker for it, until one has started.

    A node needs time to have back the memory of a process that was ended; a worker that starts
    before would be ended too.
    """

    told: str = ""
    _pause_s: float = 0.0
    _ends: float = 0.0

    @property
    def paused_s(self) -> float:
        """For how long no worker should start."""
        return max(self._ends - time.monotonic(), 0.0)

    def note(self, error: OutOfMemoryError) -> None:
        """Begin a pause, twice as long as the last."""
        first, longest = _MEMORY_PAUSES_S
        self._pause_s = min(2 * self._pause_s, longest) or first
        self._ends = time.monotonic() + self._pause_s
        match = _MEMORY_OF_NODE.search(str(error))
        self.told = match.group() if match else "a node was short of memory"


class _Worker:
    """What runs on the cluster; an error is a result, so that a lost worker is told from it."""

    def __init__(
        self, work: Callable[[Any, Any], Any], prepare: Callable[[], Any], folder: str
    ) -> None:
        self._work, self._state, self._failure = work, None, None
        with contextlib.suppress(OSError):  # then only whole paths name the same files here
            os.chdir(folder)
        try:
            self._state = prepare()
        except Exception as error:  # noqa: BLE001 - handed to the driver with the first item
            self._failure = portable(error)

    def node(self) -> str:
        return str(ray.get_runtime_context().get_node_id())

    def run(self, items: list[Any]) -> BatchResult[Any]:
        if self._failure is not None:
            return BatchResult([], self._failure)
        return run_batch(self._work, self._state, items)


class RayMap(Generic[State, Item, Value]):
    """One ordered map. Parameters are as those of `Engine.map`, and what a worker asks for.

    Parameters
    ----------
    work, prepare, on_lost : callable
        As `Engine.map`.
    workers : int
        Actors, 1 or more.
    num_gpus : float
        What each takes of a GPU.
    patience_s : float
        How long the cluster may have no room for a single worker.
    """

    def __init__(
        self,
        work: Callable[[State, Item], Value],
        prepare: Callable[[], State],
        on_lost: Callable[[Item], Value],
        *,
        workers: int,
        num_gpus: float,
        patience_s: float,
    ) -> None:
        # Put there once: what it holds, such as a network, may be large.
        self._arguments = (work, ray.put(prepare), str(Path.cwd()))
        self._on_lost, self._workers = on_lost, workers
        self._patience_s = patience_s
        self._remote = ray.remote(_Worker).options(
            num_cpus=1, num_gpus=num_gpus, max_restarts=0, scheduling_strategy="SPREAD"
        )
        self._actors: list[_Actor[Item, Value]] = []
        self._window: list[_Batch[Item, Value]] = []
        self._waiting: deque[_Batch[Item, Value]] = deque()
        self._size = BatchSize()
        self._failed_starts = 0
        self._shortage = _Shortage()
        self._last_ready = time.monotonic()

    def run(self, items: Iterator[Item]) -> Generator[Value, None, None]:
        """Yield the results in the items' order."""
        try:
            while True:
                self._read(items)
                if not self._window:
                    return
                self._send()
                done = self._window[0].result is not None
                self._collect(timeout_s=0.0 if done else _POLL_SECONDS)
                if done:
                    self._send()  # the actors have work while the caller takes the results
                    yield from _results(self._window.pop(0))
        finally:
            for actor in self._actors:
                ray.kill(actor.handle)

    def _read(self, items: Iterator[Item]) -> None:
        while len(self._window) < _WINDOW_PER_ACTOR * self._workers:
            batch = _Batch[Item, Value](list(islice(items, self._size.items)))
            if not batch.items:
                return
            self._window.append(batch)
            self._waiting.append(batch)

    def _send(self) -> None:
        """Give batches to actors that have few; begin actors while there are too few."""
        wanted = min(self._workers, len(self._window)) if self._shortage.paused_s <= 0 else 0
        while len(self._actors) < wanted:
            handle: Any = self._remote.remote(*self._arguments)
            self._actors.append(_Actor(handle, handle.node.remote()))
        ready = [actor for actor in self._actors if actor.node is not None]
        while self._waiting:
            batch = self._waiting[0]
            free = [actor for actor in ready if actor.takes(batch)]
            if not free:
                return
            actor = min(free, key=lambda each: len(each.sent))
            self._waiting.popleft()
            actor.sent.append((actor.handle.run.remote(batch.items), batch))

    def _collect(self, *, timeout_s: float) -> None:
        """Wait for something to come back, and take all that has."""
        awaited = {
            reference: actor
            for actor in self._actors
            for reference in ([actor.ready] if actor.node is None else [r for r, _ in actor.sent])
        }
        if not awaited:
            time.sleep(min(timeout_s, self._shortage.paused_s))
            self._require_workers()
            return
        back = ray.wait(list(awaited), timeout=timeout_s)[0]
        for actor in {id(awaited[reference]): awaited[reference] for reference in back}.values():
            if actor.node is None:
                self._greet(actor)
            else:
                self._take(actor)
        self._require_workers()

    def _greet(self, actor: _Actor[Item, Value]) -> None:
        """Note where a new actor is."""
        try:
            actor.node = ray.get(actor.ready)
        except RayError as error:
            self._actors.remove(actor)
            if isinstance(error, OutOfMemoryError):
                self._shortage.note(error)
                return
            self._failed_starts += 1
            died = isinstance(error, _LOST) and "creation task" not in str(error)
            if died and self._failed_starts < _MOST_STRIKES:
                return
            why = "too little memory for what they prepare, or a crash in a library"
            raise SetupError(
                f"workers on the cluster end as they start ({_last_line(error)}): "
                f"{why if died else 'see that every node has the same toolkit installed'}"
            ) from error
        self._failed_starts = 0
        self._shortage = _Shortage()

    def _take(self, actor: _Actor[Item, Value]) -> None:
        """Take the finished batches of an actor, or find out that it is dead."""
        while actor.sent:
            reference, batch = actor.sent[0]
            if not ray.wait([reference], timeout=0)[0]:
                return
            try:
                batch.result = ray.get(reference)
            except _LOST as error:
                if isinstance(error, OutOfMemoryError):
                    self._shortage.note(error)
                self._bury(actor)
                return
            actor.sent.popleft()
            self._size.learn(batch.result.item_seconds)

    def _bury(self, actor: _Actor[Item, Value]) -> None:
        """Forget a dead actor: what it worked on is under suspicion, what only waited is not."""
        ray.kill(actor.handle)  # one that cannot be reached may live on
        self._actors.remove(actor)
        (_, suspect), *others = actor.sent
        self._waiting.extendleft(batch for _, batch in reversed(others))
        if _node_is_gone(actor.node):
            self._waiting.appendleft(suspect)
        elif len(suspect.items) > 1:
            self._split(suspect)
        else:
            self._strike(suspect)

    def _split(self, batch: _Batch[Item, Value]) -> None:
        """Do the items one at a time, so that the one that kills its worker is found."""
        singles = [_Batch[Item, Value]([item], strikes=1) for item in batch.items]
        place = self._window.index(batch)
        self._window[place : place + 1] = singles
        self._waiting.extendleft(reversed(singles))

    def _strike(self, batch: _Batch[Item, Value]) -> None:
        batch.strikes += 1
        if batch.strikes < _MOST_STRIKES:
            self._waiting.appendleft(batch)
        else:
            batch.result = BatchResult([self._on_lost(batch.items[0])])

    def _require_workers(self) -> None:
        if any(actor.node is not None for actor in self._actors):
            self._last_ready = time.monotonic()
        elif time.monotonic() - self._last_ready > self._patience_s:
            where = f"for {self._patience_s:g} s the cluster has had no"
            if self._shortage.told:
                raise SetupError(
                    f"{where} memory for a worker: Ray ended each that started "
                    f"({self._shortage.told}); end other work there, or take nodes with more "
                    "memory, and run the same command again"
                )
            raise SetupError(
                f"{where} room for a worker (each takes a CPU and, where there are GPUs, a share "
                "of one); add nodes, or end other work, and run the same command again"
            )


def _results(batch: _Batch[Item, Value]) -> Iterator[Value]:
    if batch.result is not None:
        yield from batch.result.values
        if batch.result.error is not None:
            raise batch.result.error


def _node_is_gone(node: str | None) -> bool:
    return all(each["NodeID"] != node or not each["Alive"] for each in ray.nodes())  # type: ignore[no-untyped-call]


def _last_line(error: Exception) -> str:
    """What it says at the end: before it are remote tracebacks."""
    return str(error).strip().rpartition("\n")[2].strip()
