"""Ray clusters of one and two nodes on this machine, for tests that are marked slow."""

import contextlib
import os
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

_MARK = "PGAN_TOOLKIT_TEST_CLUSTER"
_NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


class TwoNodes:
    """A cluster whose nodes and workers can be killed."""

    def __init__(self, cluster: "Cluster", mark: str) -> None:
        self._cluster, self._mark = cluster, mark
        self._second = cluster.add_node(**_NODE)
        self.address = str(cluster.address)

    def kill_the_second_node(self) -> None:
        """Kill what runs on it, as if its power went."""
        self._cluster.remove_node(self._second, allow_graceful=False)

    def add_a_second_node(self) -> None:
        """Begin a new one in its place."""
        self._second = self._cluster.add_node(**_NODE)

    def kill_a_worker(self) -> bool:
        """Kill a worker at work, as the system does that has no memory left; False if none is."""
        for folder in Path("/proc").iterdir():
            try:
                name = (folder / "cmdline").read_bytes()
                ours = f"{_MARK}={self._mark}".encode() in (folder / "environ").read_bytes()
            except OSError:
                continue
            if ours and name.startswith(b"ray::_Worker"):
                os.kill(int(folder.name), signal.SIGKILL)
                return True
        return False


@contextlib.contextmanager
def small_cluster(mark: str = "", **head: object) -> "Iterator[Cluster]":
    """Run a cluster of one node of one CPU, with more arguments for it if any are given."""
    ray_cluster = pytest.importorskip("ray.cluster_utils")
    with pytest.MonkeyPatch.context() as patch:
        # The nodes' workers import the tests' functions, and this tree.
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_raylet_start_wait_time_s", "120")
        patch.setenv(_MARK, mark)
        arguments = {**_NODE, "include_dashboard": False, **head}
        cluster = ray_cluster.Cluster(initialize_head=True, head_node_args=arguments)
        try:
            yield cluster
        finally:
            cluster.shutdown()


@pytest.fixture(scope="session")
def two_nodes() -> Iterator[TwoNodes]:
    """Two nodes of one CPU each; a test that kills one puts another in its place."""
    mark = uuid.uuid4().hex
    with small_cluster(mark) as cluster:
        yield TwoNodes(cluster, mark)
