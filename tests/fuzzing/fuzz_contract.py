"""What every reader of foreign bytes promises, and the check of it.

Given any bytes it works or raises a `PganError`: no other exception, no more than 1 GiB of memory
beyond what the process has, no more than 10 seconds.
"""

import contextlib
import resource
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from pgan_toolkit.errors import PganError

__all__ = ["MOST_BYTES", "MOST_SECONDS", "ContractError", "hold_to_contract"]

MOST_BYTES = 1 << 30
MOST_SECONDS = 10


class ContractError(Exception):
    """A reader took too long."""


def hold_to_contract(read: Callable[[Path], object], path: Path) -> bool:
    """Let a reader read; return whether it accepted the file.

    Raises
    ------
    Exception
        Whatever the reader raises that is no PganError: MemoryError beyond 1 GiB, `ContractError`
        after 10 seconds.
    """
    with _at_most_memory(), _at_most_time(), warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            read(path)
        except PganError as error:
            if not str(error).strip():
                raise ContractError("an error without a message") from error
            return False
    return True


@contextlib.contextmanager
def _at_most_memory() -> Iterator[None]:
    """Bound the address space, so that an allocation beyond it fails at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MOST_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextlib.contextmanager
def _at_most_time() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise ContractError(f"still at work after {MOST_SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
    begun = time.perf_counter()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    if time.perf_counter() - begun > MOST_SECONDS:  # it swallowed the signal, or was in C
        raise ContractError(f"took more than {MOST_SECONDS} s")
