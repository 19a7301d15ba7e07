"""What failed for a passing reason is tried again; what did not is not."""

from pathlib import Path

import engine_work as jobs
import pytest

from pgan_toolkit.engines import ordered_map
from pgan_toolkit.engines.batches import with_retries
from pgan_toolkit.errors import SetupError
from pgan_toolkit.storage.remote.retrying import RetryPolicy, retried


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


def test_what_a_storage_was_asked_for_in_vain_is_not_asked_for_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    requests: list[int] = []

    def refused() -> None:
        requests.append(1)
        raise ConnectionRefusedError("nobody is there")

    def read(state: int, item: int) -> None:
        retried(refused, url="s3://b/x", policy=RetryPolicy(attempts=3, first_wait_s=0.0))

    with pytest.raises(SetupError, match=r"s3://b/x: .*nobody is there.*3 attempts"):
        with_retries(read, 0, 5)
    assert len(requests) == 3
    assert slept == [0.0, 0.0]
