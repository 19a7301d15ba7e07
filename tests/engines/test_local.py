"""The ordered map: order, bounded work in flight, errors, and workers that die."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import engine_work as jobs
import pytest
from child_processes import Children

from pgan_toolkit import environment
from pgan_toolkit.engines import available_cores, ordered_map
from pgan_toolkit.errors import DataError, SetupError


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    yield
    deadline = time.monotonic() + 60
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert multiprocessing.active_children() == []


def _map(work, items, *, workers, prepare=jobs.ready):
    return ordered_map(work, items, prepare=prepare, on_lost=jobs.lost, workers=workers)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_the_items_order_whatever_they_take(workers: int) -> None:
    items = [(n, 0.15 if n % 5 == 0 else 0.001 * (n % 3)) for n in range(20)]
    assert list(_map(jobs.add_after, items, workers=workers)) == [100 + n for n in range(20)]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_items_are_read_as_they_are_needed(workers: int) -> None:
    read = 0

    def items() -> Iterator[tuple[int, float]]:
        nonlocal read
        for number in range(100):
            read += 1
            yield number, 0.06

    results = _map(jobs.add_after, items(), workers=workers)
    assert read == 0
    ahead = []
    for taken in range(1, 31):
        next(results)
        ahead.append(read - taken)
    results.close()
    assert max(ahead) < 4 * workers
    assert workers == 1 or max(ahead) >= workers


def test_what_takes_little_time_goes_in_batches_of_512_at_most() -> None:
    read = 0

    def items() -> Iterator[int]:
        nonlocal read
        for number in range(100_000):
            read += 1
            yield number

    ahead = 0
    with closing(_map(jobs.add, items(), workers=2)) as results:
        for taken in range(20_000):
            assert next(results) == 100 + taken
            ahead = max(ahead, read - taken)
    assert 512 < ahead <= 4 * 2 * 512


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_in_gives_nothing_out(workers: int) -> None:
    assert list(_map(jobs.add, [], workers=workers)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_what_work_raises_is_raised_here_after_the_results_before_it(workers: int) -> None:
    results = _map(jobs.refuses_3, range(50), workers=workers)
    assert [next(results) for _ in range(3)] == [100, 101, 102]
    with pytest.raises(DataError, match=r"^a\.jpg: item 3$"):
        next(results)
    assert list(results) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_what_prepare_raises_is_raised_here(workers: int) -> None:
    with pytest.raises(DataError, match="no such net: get it"):
        list(_map(jobs.add, range(3), workers=workers, prepare=jobs.fails))


def test_what_the_items_iterator_raises_is_raised_here() -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise DataError("the list ends here")

    with pytest.raises(DataError, match="the list ends here"):
        list(_map(jobs.add, items(), workers=2))


def test_an_error_that_cannot_be_sent_is_told_and_not_taken_for_a_dead_worker() -> None:
    with pytest.raises(RuntimeError, match="Awkward: one two"):
        list(_map(jobs.awkward, range(3), workers=2))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work", "killers"), [(jobs.exit_at_7, {7}), (jobs.killed_at_0_and_9, {0, 9})]
)
@pytest.mark.parametrize("workers", [2, 3])
def test_only_the_items_that_kill_their_worker_are_lost(work, killers, workers: int) -> None:
    expected = [-n if n in killers else 100 + n for n in range(20)]
    assert list(_map(work, range(20), workers=workers)) == expected


def test_a_worker_that_dies_once_loses_nothing(tmp_path: Path) -> None:
    items = [(n, tmp_path / "died") for n in range(10)]
    assert list(_map(jobs.killed_once, items, workers=2)) == [100 + n for n in range(10)]
    assert (tmp_path / "died").exists()


def test_finished_items_are_not_done_again_when_a_worker_dies(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert list(_map(jobs.noted, [(n, log) for n in range(8)], workers=2)) == [
        100, 101, 102, 103, 104, -5, 106, 107,
    ]  # fmt: skip
    done = log.read_text().split()
    assert done.count("5") == 3  # in the pool, and twice alone
    assert [done.count(str(n)) for n in (0, 1, 2, 3, 4, 6, 7)] == [1] * 7


def test_workers_that_cannot_start_are_the_machines_fault_not_the_items() -> None:
    with pytest.raises(SetupError, match="worker processes end as they start"):
        list(_map(jobs.add, range(3), workers=2, prepare=jobs.dies))


def test_a_script_without_a_main_guard_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text(
        "import engine_work as jobs\n"
        "from pgan_toolkit.engines import ordered_map\n"
        "print(list(ordered_map(jobs.add, range(3), prepare=jobs.ready, on_lost=jobs.lost,"
        " workers=2)))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    # Not the last line of all: Python's own tracker of semaphores may still speak after it.
    assert "SetupError: worker processes end as they start" in done.stderr


def test_closed_early_it_leaves_no_process() -> None:
    results = _map(jobs.add, range(1000), workers=2)
    assert next(results) == 100
    workers = multiprocessing.active_children()
    assert len(workers) == 2
    results.close()
    assert not any(worker.is_alive() for worker in workers)


def test_a_consumer_that_fails_leaves_no_process_while_its_error_is_still_held() -> None:
    results = _map(jobs.add, range(1000), workers=2)
    with pytest.raises(KeyError) as held:  # as the traceback of an interruption is
        _stop_at(results, 3)
    assert held.value.args == (103,)
    assert multiprocessing.active_children() == []


def _stop_at(results, count: int) -> None:
    with closing(results):
        for number, result in enumerate(results):
            if number == count:
                raise KeyError(result)


INTERRUPTED_AT_THE_START = """
import slow_work as jobs
from pgan_toolkit.engines import ordered_map

def items():
    yield 1
    print("one is submitted", flush=True)
    yield 2
    print("two are submitted", flush=True)
    yield from range(3, 100)

if __name__ == "__main__":
    try:
        list(ordered_map(jobs.add, items(), prepare=jobs.ready, on_lost=jobs.lost, workers=2))
    except KeyboardInterrupt:
        print("interrupted")
"""


def test_ctrl_c_while_workers_import_is_told_by_the_parent_alone(
    tmp_path: Path, children: Children
) -> None:
    (tmp_path / "slow_work.py").write_text("import time; time.sleep(1)\nfrom engine_work import *")
    (tmp_path / "mine.py").write_text(INTERRUPTED_AT_THE_START)
    with children.start(
        [sys.executable, str(tmp_path / "mine.py")],
        env={**os.environ, "PYTHONPATH": f"{Path(__file__).parent}:{tmp_path}"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stdout.readline() == "one is submitted\n"
        time.sleep(0.3)
        os.killpg(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert err == ""
    assert out.splitlines()[-1] == "interrupted"
    assert running.returncode == 0


def test_interrupts_reach_this_process_again_after_its_workers_have_started() -> None:
    results = _map(jobs.add, range(100), workers=2)
    with closing(results):
        next(results)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(("quota", "cores"), [("50000 100000", 1), ("190000 100000", 1)])
def test_a_containers_quota_is_respected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cores: int
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(environment, "_CGROUP", tmp_path)
    assert available_cores() == cores


def test_no_quota_leaves_the_cores_of_the_affinity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text("max 100000")
    monkeypatch.setattr(environment, "_CGROUP", tmp_path)
    assert available_cores() == len(os.sched_getaffinity(0))


def test_cores_are_those_that_this_process_may_use() -> None:
    code = "import os; from pgan_toolkit.engines import available_cores; "
    pinned = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(available_cores())"
    done = subprocess.run(
        [sys.executable, "-c", code + pinned], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"
    assert 1 <= available_cores() <= (os.cpu_count() or 1)
