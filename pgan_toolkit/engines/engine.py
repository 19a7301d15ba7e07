"""What runs an ordered map over many items: the interface that every engine has, and its choice."""

from collections.abc import Callable, Generator, Iterable
from types import TracebackType
from typing import Any, Literal, Protocol, TypeVar, get_args, runtime_checkable

from pgan_toolkit.engines.local import LocalEngine
from pgan_toolkit.errors import UsageError

__all__ = ["Engine", "EngineName", "open_engine"]

State = TypeVar("State")
Item = TypeVar("Item")
Value = TypeVar("Value")

EngineName = Literal["local", "ray"]


@runtime_checkable
class Engine(Protocol):
    """Workers that apply a function to many items.

    What every engine keeps to: results come in the items' order; work in flight is bounded, and
    so is what is read of the items ahead; a worker prepares once for all its items; an item that
    fails for a passing reason (`is_transient`) is tried again, each time after a longer pause;
    an item is given up when its worker has died of it three times. Items and results should be
    small: a picture goes as the reference to where it is stored.

    Attributes
    ----------
    workers : int
        How many there are at most.
    """

    workers: int

    def __enter__(self) -> "Engine": ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

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

        Closing what is returned cancels what is in flight and ends the workers: a caller that may
        stop before the end does so in `with contextlib.closing(results)`.

        Parameters
        ----------
        work : callable
            A module-level function of (state, item). What it raises stops the map and is raised
            here, at its item's place.
        items : iterable
            Picklable items; read as they are needed.
        prepare : callable
            Makes a worker's state, once per worker: opened files, loaded nets. Picklable.
        on_lost : callable
            The result that stands for an item whose worker died three times.
        most : int | None
            Workers, at most; None: all.

        Raises
        ------
        SetupError
            Workers die before they have begun an item, or none can be placed.
        """


def open_engine(name: Any = "local", *, address: str | None = None, workers: int) -> Engine:
    """Return an engine, which is closed at the end of its `with` block.

    Parameters
    ----------
    name : "local" or "ray"
        This machine's processes, or a Ray cluster (extra `ray`).
    address : str | None
        Of the Ray cluster: "auto" or HOST:PORT; None: "auto".
    workers : int
        Processes at most, 1 or more; on Ray, 0 for one a CPU of the cluster.

    Raises
    ------
    UsageError
        There is no such engine, or an address for the local one.
    SetupError
        Ray is not installed, or the cluster cannot be reached.
    """
    if name == "ray":
        from pgan_toolkit.engines.ray_engine import RayEngine

        return RayEngine(address or "auto", workers=workers)
    if name != "local":
        raise UsageError(f"--engine {name}: expected {' or '.join(get_args(EngineName))}")
    if address is not None:
        raise UsageError(f"--address {address}: expected none without --engine ray")
    return LocalEngine(workers)
