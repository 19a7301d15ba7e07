"""Ray's own memory monitor ends workers that take too much: what it does to an ordered map."""

from collections.abc import Iterator
from pathlib import Path

import engine_work as jobs
import pytest
from two_nodes import small_cluster

from pgan_toolkit.engines.ray_engine import RayEngine
from pgan_toolkit.errors import SetupError

_ROOM_GIB = 2
_FREE_GIB = 8  # what a worker takes before it is ended, and what others take meanwhile


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a cluster that ends workers once so much more memory is used than before it began."""
    utils = pytest.importorskip("ray._private.utils")
    whole, used = utils.get_system_memory(), utils.get_used_memory()
    if whole - used < _FREE_GIB * 2**30:
        pytest.skip(f"less than {_FREE_GIB} GiB of memory are free")
    limits = {
        "memory_usage_threshold": (used + _ROOM_GIB * 2**30) / whole,
        "memory_monitor_refresh_ms": 50,
    }
    with small_cluster(_system_config=limits) as cluster:
        yield str(cluster.address)


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 3])
def test_only_what_fills_the_memory_every_time_is_lost(
    address: str, tmp_path: Path, times: int
) -> None:
    log = tmp_path / "filled"
    items = [(n, log, times) for n in range(8)]
    with RayEngine(address) as engine:
        results = list(engine.map(jobs.fills_memory, items, prepare=jobs.ready, on_lost=jobs.lost))
    assert results == [-n if n == 3 and times == 3 else 100 + n for n in range(8)]
    assert log.read_text() == "x" * times  # ended each time before it had all of it


@pytest.mark.slow
def test_a_node_without_memory_for_what_a_worker_prepares_is_told(address: str) -> None:
    with (
        RayEngine(address, patience_s=15.0) as engine,
        pytest.raises(SetupError, match=r"no memory for a worker.*GB used / .*GB limit\)"),
    ):
        list(engine.map(jobs.add, range(3), prepare=jobs.takes_memory, on_lost=jobs.lost))
