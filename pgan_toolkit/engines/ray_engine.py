"""A Ray cluster as an engine; needs the extra `ray`."""

import contextlib
import logging
import signal
import socket
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from math import ceil
from typing import TypeVar

from pgan_toolkit.engines.ray_map import RayMap
from pgan_toolkit.errors import SetupError, UsageError

try:
    import ray
except ImportError as error:
    raise SetupError(
        f"--engine ray: Ray is not installed ({error}); pip install 'pgan-toolkit[ray]'"
    ) from error

__all__ = ["RayEngine"]

State = TypeVar("State")
Item = TypeVar("Item")
Value = TypeVar("Value")

_CONNECT_S = 5.0


class RayEngine:
    """Actors on a Ray cluster that runs already, spread over its nodes.

    Each worker takes a CPU and, where the cluster has GPUs, its share of one. The toolkit, the
    photographs and the workspace of a build must be found under the same paths on every node.

    Parameters
    ----------
    address : str
        "auto", HOST:PORT or ray://HOST:PORT.
    workers : int
        Actors at most; 0: one a CPU of the cluster as it is now.
    patience_s : float
        How long to wait where the cluster has no room for a single worker.

    Raises
    ------
    SetupError
        The cluster cannot be reached, or runs another version of Ray or Python.
    """

    def __init__(
        self, address: str = "auto", *, workers: int = 0, patience_s: float = 300.0
    ) -> None:
        self._patience_s = patience_s
        _require_listener(address)
        self._owned = not ray.is_initialized()
        if self._owned:
            _connect(address)
        resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
        cpus, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
        self.workers = workers or max(cpus, 1)
        # A share such that whole workers fit on a GPU: 1/2, 1/3 and so on.
        self._gpus = 1 / ceil(self.workers / gpus) if gpus else 0.0

    def __enter__(self) -> "RayEngine":
        return self

    def __exit__(self, *_: object) -> None:
        if self._owned:
            ray.shutdown()

    def map(
        self,
        work: Callable[[State, Item], Value],
        items: Iterable[Item],
        *,
        prepare: Callable[[], State],
        on_lost: Callable[[Item], Value],
        most: int | None = None,
    ) -> Generator[Value, None, None]:
        """Apply `work` to every item, in batches where an item takes little time."""
        workers = self.workers if most is None else max(1, min(self.workers, most))
        running = RayMap(
            work,
            prepare,
            on_lost,
            workers=workers,
            num_gpus=self._gpus,
            patience_s=self._patience_s,
        )
        return running.run(iter(items))


def _connect(address: str) -> None:
    with _signals_kept(), warnings.catch_warnings():
        # Advice on Ray's defaults in versions to come, which is not for our users.
        warnings.simplefilter("ignore", FutureWarning)
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, TimeoutError, OSError, ValueError) as error:
            raise SetupError(
                f"--address {address}: no Ray cluster can be used there ({_first_line(error)}); "
                "start one (ray start --head), name its address, or use --engine local"
            ) from error


def _require_listener(address: str) -> None:
    """Refuse an address at which nobody listens: Ray itself would try for a minute and more."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if address in ("auto", "local"):
        return
    if not colon or not port.isdigit():
        raise UsageError(f"--address {address}: expected auto or HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise SetupError(
            f"--address {address}: no Ray cluster answers there ({error}); start one "
            "(ray start --head), name its address, or use --engine local"
        ) from error


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Put the program's handler of SIGTERM back: Ray sets its own, which ends without a word."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    with contextlib.suppress(ValueError):  # outside the main thread none can be set, nor was
        signal.signal(signal.SIGTERM, before)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
