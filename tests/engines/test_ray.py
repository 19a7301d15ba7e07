"""The ordered map on a Ray cluster of two nodes: the same as by processes of one machine."""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import engine_work as jobs
import pytest
from two_nodes import TwoNodes

from pgan_toolkit.engines import Engine, LocalEngine, open_engine
from pgan_toolkit.errors import DataError, SetupError, UsageError


@pytest.fixture(scope="module")
def engine(two_nodes: TwoNodes) -> Iterator[Engine]:
    with open_engine("ray", address=two_nodes.address, workers=0) as opened:
        yield opened


def _map(engine: Engine, work, items, prepare=jobs.ready):
    return engine.map(work, items, prepare=prepare, on_lost=jobs.lost)


@pytest.mark.slow
def test_it_has_a_worker_a_cpu_and_results_come_in_order(engine: Engine) -> None:
    assert engine.workers == 2
    items = [(n, 0.15 if n % 5 == 0 else 0.001 * (n % 3)) for n in range(20)]
    assert list(_map(engine, jobs.add_after, items)) == [100 + n for n in range(20)]
    assert list(_map(engine, jobs.add, [])) == []


@pytest.mark.slow
def test_the_workers_are_on_both_nodes(engine: Engine) -> None:
    items = [(n, 0.3) for n in range(10)]
    assert len(set(_map(engine, jobs.node_after, items))) == 2


@pytest.mark.slow
def test_many_small_items_go_in_batches_and_few_are_read_ahead(engine: Engine) -> None:
    read = 0

    def items() -> Iterator[int]:
        nonlocal read
        for number in range(200_000):
            read += 1
            yield number

    ahead = 0
    with closing(_map(engine, jobs.add, items())) as results:
        for taken, result in enumerate(results):
            assert result == 100 + taken
            ahead = max(ahead, read - taken)
            if taken == 30_000:
                break
    assert read < 40_000
    assert 512 < ahead <= 4 * 2 * 512


@pytest.mark.slow
def test_what_is_raised_there_is_raised_here_after_the_results_before_it(engine: Engine) -> None:
    results = _map(engine, jobs.refuses_3, range(50))
    assert [next(results) for _ in range(3)] == [100, 101, 102]
    with pytest.raises(DataError, match=r"^a\.jpg: item 3$"):
        next(results)
    with pytest.raises(DataError, match="no such net: get it"):
        list(_map(engine, jobs.add, range(3), jobs.fails))
    with pytest.raises(RuntimeError, match="Awkward: one two"):
        list(_map(engine, jobs.awkward, range(3)))


@pytest.mark.slow
def test_only_the_items_that_kill_their_worker_are_lost(engine: Engine) -> None:
    assert list(_map(engine, jobs.exit_at_7, range(20))) == [
        -n if n == 7 else 100 + n for n in range(20)
    ]


@pytest.mark.slow
def test_a_worker_that_dies_once_loses_nothing(engine: Engine, tmp_path: Path) -> None:
    items = [(n, tmp_path / "died") for n in range(10)]
    assert list(_map(engine, jobs.killed_once, items)) == [100 + n for n in range(10)]
    assert (tmp_path / "died").exists()


@pytest.mark.slow
def test_workers_that_cannot_start_are_told(engine: Engine) -> None:
    with pytest.raises(SetupError, match="workers on the cluster end as they start"):
        list(_map(engine, jobs.add, range(1), jobs.dies))


@pytest.mark.slow
def test_closed_early_it_frees_the_cluster(engine: Engine) -> None:
    results = _map(engine, jobs.add_after, [(n, 0.05) for n in range(1000)])
    assert next(results) == 100
    results.close()
    begun = time.monotonic()
    assert list(_map(engine, jobs.add, range(3))) == [100, 101, 102]
    assert time.monotonic() - begun < 20


@pytest.mark.slow
def test_a_cluster_without_room_is_told(two_nodes: TwoNodes) -> None:
    from pgan_toolkit.engines.ray_engine import RayEngine

    with RayEngine(two_nodes.address, patience_s=15.0) as waiting:
        others = waiting.map(jobs.add, range(9), prepare=jobs.ready, on_lost=jobs.lost)
        with closing(others):
            assert next(others) == 100  # both CPUs are taken now
            results = _map(waiting, jobs.add, range(3))
            with pytest.raises(
                SetupError, match="for 15 s the cluster has had no room for a worker"
            ):
                next(results)


def test_nobody_at_the_address_is_a_setup_error_at_once() -> None:
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(SetupError, match=rf"{address}: no Ray cluster answers there"):
        open_engine("ray", address=address, workers=1)


def test_an_address_is_checked() -> None:
    pytest.importorskip("ray")
    with pytest.raises(UsageError, match="here: expected auto or HOST:PORT"):
        open_engine("ray", address="here", workers=1)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*sys.modules]:
        if name.partition(".")[0] == "ray" or name.startswith("pgan_toolkit.engines.ray_"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SetupError, match=r"pip install 'pgan-toolkit\[ray\]'"):
        open_engine("ray", workers=1)


def test_the_local_engine_has_no_address_and_other_engines_are_unknown() -> None:
    with open_engine("local", workers=2) as opened:
        assert isinstance(opened, LocalEngine)
        assert isinstance(opened, Engine)
    with pytest.raises(UsageError, match="expected none without --engine ray"):
        open_engine("local", address="auto", workers=1)
    with pytest.raises(UsageError, match="--engine spark: expected local or ray"):
        open_engine("spark", workers=1)
