"""A build on a Ray cluster ends with the bytes of one by this machine, come what may."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from child_processes import Children
from two_nodes import TwoNodes

from pgan_toolkit.celebahq import BuildSettings, Ledger, build_dataset
from pgan_toolkit.engines import open_engine

COUNT, SIZE = 10, 512
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def _settings(samples: Path, out: Path, workers: int = 1) -> BuildSettings:
    return BuildSettings(
        src=samples, out=out, count=COUNT, size=SIZE, workers=workers, restorer="lanczos"
    )


def _bytes(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def _rows(out: Path) -> list[tuple[object, ...]]:
    """What the ledger holds, but for times."""
    with Ledger(out.with_name(f"{out.name}.build") / "ledger.sqlite") as ledger:
        return [(r.key, r.status, r.category, r.reason, r.crop_digest, r.score, r.landmarks)
                for r in ledger.rows()]  # fmt: skip


@pytest.fixture(scope="module")
def local(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes: the folder, and its ledger beside it."""
    out = tmp_path_factory.mktemp("local") / "hq"
    build_dataset(_settings(samples, out), mode="quiet")
    return out


class _Running:
    """The command at work on the cluster."""

    def __init__(self, samples: Path, out: Path, cluster: TwoNodes, children: Children) -> None:
        self.out, self._ledger = out, out.with_name(f"{out.name}.build") / "ledger.sqlite"
        self.process = children.start(
            [
                sys.executable, "-m", "pgan_cli", "build-celebahq", "--src", str(samples),
                "--out", str(out), "--count", str(COUNT), "--size", str(SIZE),
                "--restorer", "lanczos", "--quiet", "--engine", "ray",
                "--address", cluster.address,
            ],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait_for_rows(self, number: int) -> None:
        """Wait until so many photographs have been scored."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and self.process.poll() is None:
            if self._ledger.exists():
                with Ledger(self._ledger) as ledger:
                    if len(ledger.scored_photographs()) >= number:
                        return
            time.sleep(0.05)
        pytest.fail(f"no {number} photographs were scored: {self.process.communicate()[1]}")

    def require_unfinished(self) -> None:
        assert self.process.poll() is None
        assert not self.out.exists()

    def end(self) -> str:
        _, errors = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, errors
        return errors


@pytest.fixture
def running(samples: Path, tmp_path: Path, two_nodes: TwoNodes, children: Children) -> _Running:
    return _Running(samples, tmp_path / "hq", two_nodes, children)


@pytest.mark.parametrize("workers", [2, 3])
def test_two_and_three_processes_make_what_one_makes(
    samples: Path, tmp_path: Path, local: Path, workers: int
) -> None:
    build_dataset(_settings(samples, tmp_path / "hq", workers), mode="quiet")
    assert _bytes(tmp_path / "hq") == _bytes(local)
    assert _rows(tmp_path / "hq") == _rows(local)


def test_a_cluster_of_two_nodes_makes_what_one_process_makes(
    samples: Path, tmp_path: Path, local: Path, two_nodes: TwoNodes
) -> None:
    with open_engine("ray", address=two_nodes.address, workers=0) as engine:
        build_dataset(_settings(samples, tmp_path / "hq"), engine=engine, mode="quiet")
    assert _bytes(tmp_path / "hq") == _bytes(local)
    assert _rows(tmp_path / "hq") == _rows(local)


def test_a_worker_killed_in_the_middle_changes_nothing(
    running: _Running, two_nodes: TwoNodes, local: Path
) -> None:
    running.wait_for_rows(2)
    assert two_nodes.kill_a_worker()
    running.require_unfinished()
    assert running.end() == ""
    assert _bytes(running.out) == _bytes(local)
    assert _rows(running.out) == _rows(local)


def test_a_node_killed_in_the_middle_changes_nothing(
    running: _Running, two_nodes: TwoNodes, local: Path
) -> None:
    running.wait_for_rows(2)
    two_nodes.kill_the_second_node()
    try:
        running.require_unfinished()
        assert running.end() == ""
    finally:
        two_nodes.add_a_second_node()
    assert _bytes(running.out) == _bytes(local)
    assert _rows(running.out) == _rows(local)


def test_a_driver_killed_and_started_again_ends_the_same(
    running: _Running, samples: Path, two_nodes: TwoNodes, local: Path, children: Children
) -> None:
    running.wait_for_rows(3)
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.communicate()
    assert not running.out.exists()
    before = set(_rows(running.out))
    again = _Running(samples, running.out, two_nodes, children)
    assert again.end() == ""
    assert before <= set(_rows(running.out))
    assert _bytes(running.out) == _bytes(local)
    assert _rows(running.out) == _rows(local)


def test_interrupted_it_exits_130_and_says_so(running: _Running) -> None:
    running.wait_for_rows(1)
    running.process.send_signal(signal.SIGTERM)
    _, errors = running.process.communicate(timeout=60)
    assert running.process.returncode == 130
    assert errors == "error: interrupted; the same command goes on where it stopped\n"
