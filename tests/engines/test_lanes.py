"""The map by processes of many threads: order, sharing, deaths, and what it leaves behind."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pgan_toolkit.engines import Engine, LaneEngine, LocalEngine
from pgan_toolkit.errors import DataError, SetupError

BOUNDED = pytest.mark.timeout(120, method="thread")
"""Of tests that wait for ever where an answer does not come: a signal cannot end that wait."""


class _Shared:
    """What a process prepares: where its threads meet."""

    def __init__(self, threads: int = 1) -> None:
        self.barrier = threading.Barrier(threads)


def _pair(state: _Shared, item: int) -> tuple[int, int]:
    state.barrier.wait(timeout=30)  # passes only if several items are at work in one process
    return item, os.getpid()


def _named(state: _Shared, item: int) -> str:
    time.sleep(0.05)
    return os.environ["LANE"]


def _fatal(folder: Path, item: int) -> int:
    """Kill the process at one item for ever, and at another the first time."""
    if item == 3 or (item == 5 and not (folder / "once").exists()):
        (folder / "once").touch()
        os._exit(9)
    return item


def _refused(state: object, item: int) -> int:
    if item == 2:
        raise DataError(f"item {item}: expected another")
    return item


def _no_state() -> object:
    raise SetupError("no such device")


def _lost(item: int) -> int:
    return -item


def test_threads_of_one_process_share_what_it_has_prepared_and_results_keep_their_order() -> None:
    engine = LaneEngine([{}], threads=2)
    found = list(engine.map(_pair, range(6), prepare=partial(_Shared, 2), on_lost=_none))
    assert [item for item, _ in found] == list(range(6))
    assert len({process for _, process in found} | {os.getpid()}) == 2


def _none(item: int) -> tuple[int, int]:
    return (item, 0)


def test_every_process_has_its_environment() -> None:
    engine = LaneEngine([{"LANE": "a"}, {"LANE": "b"}], threads=1)
    names = list(engine.map(_named, range(8), prepare=_Shared, on_lost=str))
    assert set(names) == {"a", "b"}
    assert "LANE" not in os.environ


def test_an_item_that_kills_its_process_is_found_and_the_others_are_done(tmp_path: Path) -> None:
    engine = LaneEngine([{}], threads=2)
    prepare = partial(Path, tmp_path)
    assert list(engine.map(_fatal, range(8), prepare=prepare, on_lost=_lost)) == [
        0, 1, 2, -3, 4, 5, 6, 7,
    ]  # fmt: skip


def test_what_an_item_raises_is_raised_in_its_place() -> None:
    results = LaneEngine([{}], threads=2).map(_refused, range(9), prepare=object, on_lost=_lost)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(DataError, match="item 2"):
        next(results)


class _Unsendable:
    """Raises when it is pickled; told about, it raises again."""

    def __reduce__(self) -> str:
        raise MemoryError("no room for the pickle")


class _Unreadable:
    """Raises when it is made again from its pickle."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return _refuse, ("this item cannot be read here",)


class _Untellable(Exception):
    """Can neither be sent nor be told in words."""

    def __reduce__(self) -> str:
        raise TypeError("not to be sent")

    def __str__(self) -> str:
        raise TypeError("not to be told")


def _refuse(text: str) -> object:
    raise DataError(text)


def _lambda_at_3(state: object, item: int) -> object:
    return (lambda: item) if item == 3 else item


def _unsendable_at_3(state: object, item: int) -> object:
    return _Unsendable() if item == 3 else item


def _ends_at_3(state: object, item: int) -> object:
    return sys.exit("no more") if item == 3 else item


def _untellable_at_3(state: object, item: int) -> int:
    if item == 3:
        raise _Untellable
    return item


def _first(state: object, item: tuple[int, object]) -> int:
    return item[0]


@BOUNDED
@pytest.mark.parametrize("engine", [LaneEngine([{}], threads=2), LocalEngine(2)])
@pytest.mark.parametrize(
    ("work", "kind", "said"),
    [
        (_lambda_at_3, AttributeError, "lambda"),
        (_unsendable_at_3, MemoryError, "no room for the pickle"),
        (_ends_at_3, SystemExit, "no more"),
    ],
)
def test_a_result_that_cannot_be_sent_is_an_error_in_its_place_by_every_engine(
    engine: Engine,
    work: Callable[[object, int], object],
    kind: type[BaseException],
    said: str,
) -> None:
    results = engine.map(work, range(9), prepare=object, on_lost=_lost)
    with contextlib.closing(results):
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(kind, match=said):
            next(results)


@BOUNDED
def test_an_item_that_cannot_be_read_by_the_process_is_an_error_in_its_place() -> None:
    items = [(0, 0), (1, 1), (2, _Unreadable()), (3, 3)]
    results = LaneEngine([{}], threads=2).map(_first, items, prepare=object, on_lost=_lost_first)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(DataError, match="this item cannot be read here"):
        next(results)


def _lost_first(item: tuple[int, object]) -> int:
    return -item[0]


@BOUNDED
def test_an_item_of_which_nothing_can_be_told_is_lost_as_one_that_kills_its_process() -> None:
    engine = LaneEngine([{}], threads=2)
    found = list(engine.map(_untellable_at_3, range(6), prepare=object, on_lost=_lost))
    assert found == [0, 1, 2, -3, 4, 5]


def test_what_preparing_raises_is_raised() -> None:
    engine = LaneEngine([{}], threads=2)
    with pytest.raises(SetupError, match="no such device"):
        list(engine.map(_refused, range(3), prepare=_no_state, on_lost=_lost))


def test_processes_that_end_as_they_start_are_no_item_s_fault() -> None:
    engine = LaneEngine([{}], threads=1)
    with pytest.raises(SetupError, match="end as they start"):
        list(engine.map(_refused, range(3), prepare=partial(os._exit, 9), on_lost=_lost))


def test_closing_early_ends_the_processes() -> None:
    results = LaneEngine([{}], threads=1).map(_pair, range(50), prepare=_Shared, on_lost=_none)
    with contextlib.closing(results):
        _, process = next(results)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
