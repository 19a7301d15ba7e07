"""What worker processes have in common, whichever engine starts them."""

import multiprocessing
import multiprocessing.connection
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

from pgan_toolkit.errors import SetupError

__all__ = ["ATTEMPTS_ALONE", "die_with_parent", "interrupts_held_back", "workers_never_begin"]

ATTEMPTS_ALONE = 2
"""How often an item whose worker died is tried again with nothing beside it, before it is lost;
and how often a process is started that dies before it has an item."""


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Hold Ctrl-C back from this thread, and from the processes that it starts meanwhile.

    They are born with it held back, so that none is told while a worker still imports: a worker
    that was not yet able to ignore it would print a traceback. In this thread one that came
    meanwhile is told at the end; ignored, it would be lost.
    """
    # Started later, beside the first worker, it would let Ctrl-C through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def die_with_parent() -> None:
    """End this worker when its parent is gone: an orphan would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def workers_never_begin(remedy: str = "") -> SetupError:
    """Return the error of processes that end before an item can be blamed."""
    return SetupError(
        "worker processes end as they start: too little memory for what they prepare, a crash in a "
        f"library, or a script that starts them outside `if __name__ == '__main__':`{remedy}"
    )
