"""The cache of real sides: found by content, never stale, small enough, safe with two processes."""

import errno
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from pgan_toolkit.errors import UsageError
from pgan_toolkit.evaluation.cache import (
    StatisticsCache,
    cache_key,
    cache_limit_bytes,
)

KEY = "0" * 64
PROBE = "ab" * 32


def numbers(seed: int = 0, *, count: int = 100) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=count)


def store(cache: StatisticsCache, key: str, seed: int = 0, *, count: int = 100) -> None:
    array = numbers(seed, count=count)
    cache.store(key, [("sum", array)], {"sizes": {"64x64": 3}}, size_bytes=array.nbytes)


def load(cache: StatisticsCache, key: str) -> np.ndarray | None:
    return cache.load(key, lambda entry: entry.arrays["sum"])


def test_what_is_stored_comes_back(tmp_path: Path) -> None:
    cache = StatisticsCache(tmp_path / "new" / "folder")
    assert load(cache, KEY) is None
    store(cache, KEY)
    assert np.array_equal(load(cache, KEY), numbers())
    assert cache.load(KEY, lambda entry: entry.about) == {"sizes": {"64x64": 3}}
    assert [path.name for path in cache.folder.iterdir()] == [f"{KEY}.npz"]


def test_numpy_reads_an_entry(tmp_path: Path) -> None:
    store(StatisticsCache(tmp_path), KEY)
    with np.load(tmp_path / f"{KEY}.npz") as stored:
        assert set(stored.files) == {"about", "sum"}


def test_the_key_sees_every_part_and_no_order() -> None:
    parts = {"pictures": ["a", "b"], "extractor": "x"}
    assert cache_key(parts, probe=PROBE) == cache_key(dict(reversed(parts.items())), probe=PROBE)
    others = [
        {**parts, "pictures": ["b", "a"]}, {**parts, "pictures": ["a"]},
        {**parts, "extractor": "y"}, {**parts, "seed": 0}, {"pictures": ["a", "b"]},
    ]  # fmt: skip
    assert len({cache_key(each, probe=PROBE) for each in [parts, *others]}) == 6


def test_the_key_sees_the_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache_key({}, probe=PROBE)
    monkeypatch.setattr("pgan_toolkit.evaluation.cache._VERSION", 999)
    assert cache_key({}, probe=PROBE) != before


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"no zip file"])
def test_a_damaged_entry_is_told_and_computed_again(tmp_path: Path, damage: bytes) -> None:
    notes: list[str] = []
    cache = StatisticsCache(tmp_path, note=notes.append)
    (tmp_path / f"{KEY}.npz").write_bytes(damage)
    assert load(cache, KEY) is None
    assert "computed again" in notes[0]
    store(cache, KEY)
    assert load(cache, KEY) is not None


@pytest.mark.parametrize("at", [0.3, 0.6, 0.99])
def test_a_flipped_byte_or_a_short_file_is_seen(tmp_path: Path, at: float) -> None:
    cache = StatisticsCache(tmp_path)
    store(cache, KEY, count=2000)
    path = tmp_path / f"{KEY}.npz"
    data = bytearray(path.read_bytes())
    path.write_bytes(data[: int(len(data) * at)])
    assert load(cache, KEY) is None
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert load(cache, KEY) is None


def test_an_entry_cannot_smuggle_in_objects(tmp_path: Path) -> None:
    np.savez(tmp_path / f"{KEY}.npz", about=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    notes: list[str] = []
    assert StatisticsCache(tmp_path, note=notes.append).load(KEY, dict) is None
    assert len(notes) == 1


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    cache = StatisticsCache(tmp_path, limit_bytes=3500)
    keys = [str(digit) * 64 for digit in range(4)]
    for age, key in enumerate(keys[:3]):
        store(cache, key, count=50)
        os.utime(tmp_path / f"{key}.npz", (age, age))
    load(cache, keys[0])
    size = (tmp_path / f"{keys[0]}.npz").stat().st_size
    assert 3 * size < 3500 < 4 * size
    store(cache, keys[3], count=50)
    left = {path.stem for path in tmp_path.iterdir()}
    assert left == {keys[0], keys[2], keys[3]}


def test_an_entry_larger_than_the_limit_is_told_and_not_kept(tmp_path: Path) -> None:
    notes: list[str] = []
    cache = StatisticsCache(tmp_path / "cache", limit_bytes=100, note=notes.append)
    store(cache, KEY)
    assert "not cached" in notes[0]
    assert "PGAN_TOOLKIT_CACHE_GIB" in notes[0]
    assert not (tmp_path / "cache").exists()


def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    notes: list[str] = []
    cache = StatisticsCache(tmp_path / "file" / "cache", note=notes.append)
    store(cache, KEY)
    assert "cannot be cached" in notes[0]
    assert load(cache, KEY) is None


def _store_often(folder: Path) -> None:
    cache = StatisticsCache(folder, limit_bytes=6000)
    for number in range(15):
        store(cache, f"{number % 5}" * 64, number % 5)


def test_processes_that_write_and_read_the_same_entries_do_no_harm(tmp_path: Path) -> None:
    # Forked: a new process would load torch for seconds.
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_store_often, args=(tmp_path,)) for _ in range(2)]
    for writer in writers:
        writer.start()
    notes: list[str] = []
    cache = StatisticsCache(tmp_path, note=notes.append)
    while any(writer.is_alive() for writer in writers):
        for number in range(5):
            found = load(cache, f"{number}" * 64)
            if found is not None:
                assert np.array_equal(found, numbers(number))
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert notes == []


def test_the_place_and_the_limit_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGAN_TOOLKIT_CACHE_GIB", raising=False)
    monkeypatch.setenv("PGAN_TOOLKIT_CACHE", str(tmp_path / "mine"))
    assert StatisticsCache().folder == tmp_path / "mine" / "statistics"
    assert cache_limit_bytes() == 10 * 2**30
    monkeypatch.setenv("PGAN_TOOLKIT_CACHE_GIB", "0.5")
    assert StatisticsCache().limit_bytes == 2**29
    monkeypatch.setenv("PGAN_TOOLKIT_CACHE_GIB", "much")
    with pytest.raises(UsageError, match="PGAN_TOOLKIT_CACHE_GIB=much"):
        cache_limit_bytes()


class _Locked(type(Path())):  # type: ignore[misc]
    """A folder in the home of somebody else: what looks at it is refused, root or not."""

    def _refuse(self, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    stat = open = mkdir = is_dir = exists = glob = _refuse


def test_a_place_that_cannot_be_looked_into_is_told_once_and_left_alone() -> None:
    notes: list[str] = []
    cache = StatisticsCache(_Locked("/locked/statistics"), note=notes.append)
    assert not cache.knows(PROBE)
    assert load(cache, KEY) is None
    store(cache, KEY)
    with cache.writing_numbers(KEY, size_bytes=8) as file:
        assert file is None
    assert len([note for note in notes if "cannot be cached" in note]) == 1
    assert "PGAN_TOOLKIT_CACHE, or do without (--no-cache)" in notes[0]


def test_an_entry_of_somebody_else_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    cache = StatisticsCache(tmp_path, note=notes.append)
    store(cache, KEY)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "utime", refuse)
    assert np.array_equal(load(cache, KEY), numbers())
    assert notes == []
