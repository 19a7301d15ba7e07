"""Functions for worker processes: spawned ones import them by this module's name."""

import os
import signal
import time
from pathlib import Path

from pgan_toolkit.errors import DataError


class Awkward(Exception):
    """Pickled without complaint, and not to be made again from its pickle."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def ready() -> int:
    """The state: what is added to every item."""
    return 100


def fails() -> int:
    raise DataError("no such net: get it")


def dies() -> int:
    os._exit(7)


def add(state: int, item: int) -> int:
    return state + item


def add_after(state: int, item: tuple[int, float]) -> int:
    """Add, after so many seconds."""
    number, seconds = item
    time.sleep(seconds)
    return state + number


def exit_at_7(state: int, item: int) -> int:
    if item == 7:
        os._exit(1)
    return state + item


def killed_at_0_and_9(state: int, item: int) -> int:
    if item in (0, 9):
        os.kill(os.getpid(), signal.SIGKILL)
    return state + item


def killed_once(state: int, item: tuple[int, Path]) -> int:
    """Die at item 3 the first time: the marker file remembers it."""
    number, marker = item
    if number == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return state + number


def noted(state: int, item: tuple[int, Path]) -> int:
    """Leave a line for every time that an item is worked on; die at item 5."""
    number, log = item
    with log.open("a") as file:
        file.write(f"{number}\n")
    if number == 5:
        time.sleep(0.3)  # the items before it are finished by then
        os._exit(1)
    return state + number


def refuses_3(state: int, item: int) -> int:
    if item == 3:
        raise DataError(f"a.jpg: item {item}")
    return state + item


def awkward(state: int, item: int) -> int:
    raise Awkward("one", "two")


def takes_memory() -> int:
    """Take 6 GiB and hold them for a while."""
    held = [b"x" * 2**26 for _ in range(96)]
    time.sleep(10)
    return len(held)


def fills_memory(state: int, item: tuple[int, Path, int]) -> int:
    """Take much memory at item 3, the first so many times."""
    number, log, times = item
    if number == 3 and (len(log.read_text()) if log.exists() else 0) < times:
        with log.open("a") as file:
            file.write("x")
        taken = takes_memory()
        with log.open("a") as file:
            file.write(f" held {taken} times 64 MiB")
    return state + number


def lost(item: object) -> int:
    """The result of an item whose worker died: its negative number."""
    number = item[0] if isinstance(item, tuple) else item
    return -int(number)  # type: ignore[call-overload]


def node_after(state: int, item: tuple[int, float]) -> str:
    """Where this is, after so many seconds."""
    import ray

    time.sleep(item[1])
    return str(ray.get_runtime_context().get_node_id())


def resets_twice(state: int, item: tuple[int, Path]) -> int:
    """A connection is reset at item 3, the first two times."""
    number, log = item
    if number == 3:
        with log.open("a") as file:
            file.write("x")
        if len(log.read_text()) <= 2:
            try:
                raise ConnectionResetError("peer")
            except ConnectionResetError as error:
                raise DataError("a.jpg: cannot be read") from error
    return state + number
