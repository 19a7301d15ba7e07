"""A build that is killed, at any moment and again and again, ends with the same bytes."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from child_processes import Children

from pgan_toolkit.celebahq import BuildSettings, Ledger, build_dataset
from pgan_toolkit.errors import SetupError

COUNT, SIZE = 10, 256
MOST_KILLS = 20


def _command(samples: Path, out: Path, workers: int) -> list[str]:
    return [
        sys.executable, "-m", "pgan_cli", "build-celebahq", "--src", str(samples),
        "--out", str(out), "--count", str(COUNT), "--size", str(SIZE),
        "--workers", str(workers), "--restorer", "lanczos", "--quiet",
    ]  # fmt: skip


def _bytes(out: Path) -> dict[str, bytes]:
    if out.is_file():
        return {"": out.read_bytes()}
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def expected(
    samples: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, bytes]]:
    """The bytes that an undisturbed build ends with, by format."""
    result = {}
    for name in ("hq", "hq.zip"):
        out = tmp_path_factory.mktemp("undisturbed") / name
        settings = BuildSettings(
            src=samples, out=out, count=COUNT, size=SIZE, workers=1, restorer="lanczos"
        )
        build_dataset(settings, mode="quiet")
        result[name] = {key.replace(str(out), ""): data for key, data in _bytes(out).items()}
    return result


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "workers"), [("hq", 1), ("hq", 2), ("hq.zip", 2)])
def test_killed_again_and_again_it_ends_with_the_same_bytes(
    samples: Path,
    tmp_path: Path,
    expected: dict[str, dict[str, bytes]],
    name: str,
    workers: int,
    children: Children,
) -> None:
    out = tmp_path / name
    moments = random.Random(workers)
    kills = 0
    while kills < MOST_KILLS:
        process = children.start(_command(samples, out, workers), start_new_session=True)
        try:
            # From before the first photograph to after several, whatever the machine's speed.
            process.wait(timeout=0.4 * 1.3**kills + moments.uniform(0, 0.3))
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)  # the parent alone: workers must notice
            process.wait()
            kills += 1
            assert not out.exists() or _bytes(out) == expected[name]
    assert process.returncode == 0
    assert kills >= 3
    assert _bytes(out) == expected[name]
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")) == [
        name, f"{name}.build",
    ]  # fmt: skip


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(
    samples: Path, tmp_path: Path, children: Children
) -> None:
    process = children.start(_command(samples, tmp_path / "hq", 2), start_new_session=True)
    time.sleep(2.0)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and _group_lives(process.pid):
        time.sleep(0.1)
    assert not _group_lives(process.pid)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def heeded_interrupts() -> Iterator[None]:
    """Let processes be started that can be interrupted, also by tests that ignore it.

    A shell that starts the tests in the background has them, and all that they start, ignore it.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("heeded_interrupts")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_says_so_exits_130_and_keeps_what_was_done(
    samples: Path, tmp_path: Path, number: signal.Signals, children: Children
) -> None:
    out = tmp_path / "hq"
    process = children.start(
        _command(samples, out, 1), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    ledger = tmp_path / "hq.build" / "ledger.sqlite"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not ledger.exists():
        time.sleep(0.02)
    time.sleep(0.7)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "the same command" in errors
    with Ledger(ledger) as opened:
        assert opened.scored_photographs()
    assert not out.exists()


class _FullDisk:
    """A tmpfs of a few hundred kilobytes, where the system lets us mount one."""

    def __init__(self, folder: Path, options: str) -> None:
        self.folder = folder
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
            capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"cannot mount a tmpfs here: {done.stderr.decode().strip()}")

    def __enter__(self) -> Path:
        return self.folder

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hq", "hq.zip", "hq.h5"])
def test_a_full_disk_stops_the_build_and_room_lets_it_end(
    samples: Path, tmp_path: Path, expected: dict[str, dict[str, bytes]], name: str
) -> None:
    disk = _FullDisk(tmp_path / "small", "size=600k")
    with disk as folder:
        done = subprocess.run(
            _command(samples, folder / name, 1), capture_output=True, text=True, check=False
        )
        assert done.returncode == 4, done.stderr
        assert "Traceback" not in done.stderr
        assert "space" in done.stderr or "full" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert not (folder / name).exists()
        disk.remount("size=64m")
        again = subprocess.run(_command(samples, folder / name, 1), check=False)
        assert again.returncode == 0
        if name in expected:
            assert _bytes(folder / name) == expected[name]


def test_a_place_that_is_read_only_is_refused(samples: Path, tmp_path: Path) -> None:
    disk = _FullDisk(tmp_path / "locked", "size=1m")
    with disk as folder:
        disk.remount("ro")
        done = subprocess.run(
            _command(samples, folder / "hq", 1), capture_output=True, text=True, check=False
        )
    assert done.returncode == 4
    assert "Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_ledger_that_has_no_room_is_a_setup_error(tmp_path: Path) -> None:
    disk = _FullDisk(tmp_path / "tiny", "size=4k")
    with disk as folder, pytest.raises(SetupError, match="the ledger cannot be used"):
        Ledger(folder / "ledger.sqlite")
