"""What failed for a passing reason is tried again; what did not is not."""

import errno
from pathlib import Path

import engine_work as jobs
import pytest

from pgan_toolkit.engines import is_transient, ordered_map
from pgan_toolkit.engines.batches import with_retries
from pgan_toolkit.errors import DataError


def _caused(cause: Exception) -> Exception:
    error = DataError("a.jpg: cannot be read")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (_caused(OSError(errno.ESTALE, "stale")), True),
        (_caused(_caused(BrokenPipeError())), True),
        (_caused(FileNotFoundError(errno.ENOENT, "none")), False),
        (_caused(OSError(errno.EIO, "bad sector")), False),
        (OSError(errno.ENOSPC, "full"), False),
        (DataError("not a picture"), False),
    ],
)
def test_networks_pass_and_files_stay_as_they_are(error: Exception, passing: bool) -> None:
    assert is_transient(error) is passing


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_tries_again(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgan_toolkit.engines.batches._PAUSES_S", (0.01, 0.01))
    items = [(n, tmp_path / "log") for n in range(6)]
    results = ordered_map(
        jobs.resets_twice, items, prepare=jobs.ready, on_lost=jobs.lost, workers=workers
    )
    assert list(results) == [100 + n for n in range(6)]
    assert (tmp_path / "log").read_text() == "xxx"


def test_the_pauses_grow_and_the_last_error_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)

    def unreachable(state: int, item: int) -> int:
        raise TimeoutError(f"item {item}, try {len(slept) + 1}")

    with pytest.raises(TimeoutError, match="item 5, try 4"):
        with_retries(unreachable, 0, 5)
    assert slept == [0.5, 2.0, 8.0]
