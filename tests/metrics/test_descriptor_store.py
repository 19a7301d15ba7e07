"""Descriptors are the same from memory and from the file, and a full disk is said."""

import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pgan_toolkit.errors import DataError, SetupError
from pgan_toolkit.metrics.descriptor_store import DescriptorStore

RANDOM = np.random.default_rng(3)
LEVELS = [RANDOM.integers(-32000, 32000, (20, 4, 147)).astype(np.int16) for _ in range(2)]


def _part(start: int, stop: int) -> list[NDArray[np.int16]]:
    return [level[start:stop] for level in LEVELS]


def _filled(memory_gib: float) -> DescriptorStore:
    store = DescriptorStore(memory_gib=memory_gib)
    for start, stop in ((12, 20), (0, 5), (5, 12)):
        store.add(range(start, stop), _part(start, stop))
    return store


@pytest.mark.parametrize("memory_gib", [1, 1e-5, 0])
def test_images_come_back_in_the_order_of_their_indices(memory_gib: float) -> None:
    store = _filled(memory_gib)
    assert (len(store), store.spilled) == (20, memory_gib < 1)
    for picks in ([0, 1, 2], list(range(20)), [3, 3, 4, 11, 12, 12, 19], [7]):
        found = store.read(1, np.array(picks))
        assert np.array_equal(found, LEVELS[1][picks].reshape(-1, 147))


def test_sums_are_exact() -> None:
    picks = np.array([2, 2, 13])
    values = LEVELS[0][picks].astype(object).reshape(3, 4, 49, 3)
    expected = [values.sum((0, 1, 2)).tolist(), (values**2).sum((0, 1, 2)).tolist()]
    assert _filled(1).moments(0, picks).tolist() == expected


@pytest.mark.parametrize("memory_gib", [1, 0])
def test_a_pickled_and_a_merged_store_hold_the_same(memory_gib: float) -> None:
    again = pickle.loads(pickle.dumps(_filled(memory_gib)))
    merged = DescriptorStore(memory_gib=memory_gib)
    merged.add(range(20, 21), _part(0, 1))
    merged.merge(again)
    assert (again.spilled, merged.spilled) == (memory_gib == 0,) * 2
    assert np.array_equal(merged.read(0, np.arange(20)), LEVELS[0].reshape(-1, 147))
    assert np.array_equal(merged.read(0, np.array([20])), LEVELS[0][0])


def test_the_file_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = _filled(0)
    assert store.spilled
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("r+b", buffering=0)  # noqa: SIM115
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
    store = DescriptorStore(memory_gib=0)
    with pytest.raises(SetupError, match=r"no room for the descriptors.*set TMPDIR"):
        store.add(range(5), _part(0, 5))
    full.close()


def test_other_levels_are_refused() -> None:
    store = _filled(1)
    with pytest.raises(DataError, match="those before have"):
        store.add(range(20, 21), _part(0, 1)[:1])
