"""What is kept sorted of a real side: the same numbers to the bit, never stale, of bounded size."""

import errno
import os
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evaluated_sets import pictures, write_set

from pgan_toolkit.evaluation import (
    EvaluationSettings,
    ImageStream,
    Report,
    StatisticsCache,
    StreamSettings,
    evaluate,
    feed,
)
from pgan_toolkit.evaluation.measure_swd import keep_patches, known_patches
from pgan_toolkit.metrics import slicing
from pgan_toolkit.metrics.descriptors import SwdSettings
from pgan_toolkit.metrics.sorted_side import RowLayout
from pgan_toolkit.metrics.swd_statistics import SwdStatistics

QUIET = EvaluationSettings(mode="quiet", device="cpu", seed=3)
COUNT = 13
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("sets")
    return (
        write_set(folder / "real", pictures(0, COUNT)),
        write_set(folder / "fake", pictures(5, COUNT)),
    )


@pytest.fixture(scope="module")
def fresh(sets: tuple[Path, Path]) -> Report:
    return evaluate(*sets, metrics=["swd"], settings=QUIET)


def swd(sets: tuple[Path, Path], cache: StatisticsCache, **changes: Any) -> Report:
    return evaluate(*sets, metrics=["swd"], settings=replace(QUIET, **changes), cache=cache)


def numbers_of(cache: StatisticsCache) -> Path:
    [path] = cache.folder.glob("*.numbers")
    return path


def test_the_second_run_sorts_no_real_patch_and_gives_the_same_to_the_bit(
    sets: tuple[Path, Path], fresh: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = StatisticsCache(tmp_path)
    assert swd(sets, cache).measured == fresh.measured
    projected: list[str] = []
    project = slicing.Slicer._project

    def noted(self: slicing.Slicer, chosen: slicing.DescriptorSet, *args: Any, **how: Any) -> Any:
        projected.append("a side")
        return project(self, chosen, *args, **how)

    monkeypatch.setattr(slicing.Slicer, "_project", noted)
    assert swd(sets, cache).measured == fresh.measured
    known = len(projected)
    projected.clear()
    evaluate(*sets, metrics=["swd"], settings=QUIET)
    assert len(projected) == 2 * known


def test_patches_of_a_gpu_are_not_taken_for_those_of_a_cpu(
    sets: tuple[Path, Path], tmp_path: Path
) -> None:
    stream = ImageStream(sets[0], StreamSettings(mode="quiet"))
    patches, cache = SwdStatistics(SwdSettings(), side="real"), StatisticsCache(tmp_path)
    feed(stream, patches)
    keep_patches(stream, patches, device="cuda:1", cache=cache)
    for device, known in (("cpu", False), ("cuda", True), (torch.device("cuda", 0), True)):
        found = known_patches(stream, SwdSettings(), device=device, cache=cache)
        assert (found is not None) == known


@pytest.mark.parametrize("damage", ["flipped", "short", "gone"])
def test_damaged_numbers_are_computed_again(
    damage: str, sets: tuple[Path, Path], fresh: Report, tmp_path: Path
) -> None:
    notes: list[str] = []
    cache = StatisticsCache(tmp_path, note=notes.append)
    swd(sets, cache)
    path = numbers_of(cache)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    if damage != "gone":
        path.write_bytes(data if damage == "flipped" else data[:-4])
    assert swd(sets, cache).measured == fresh.measured
    assert len(notes) == (damage != "gone")
    assert all("computed again" in note for note in notes)
    assert swd(sets, cache).measured == fresh.measured
    assert len(notes) == (damage != "gone")


def test_other_draws_are_other_entries(sets: tuple[Path, Path], tmp_path: Path) -> None:
    cache = StatisticsCache(tmp_path)
    swd(sets, cache)
    other = swd(sets, cache, seed=4)
    assert other.scores == evaluate(*sets, metrics=["swd"], settings=replace(QUIET, seed=4)).scores
    assert len(list(tmp_path.glob("*.numbers"))) == 2


def test_what_is_larger_than_the_limit_is_not_begun(
    sets: tuple[Path, Path], fresh: Report, tmp_path: Path
) -> None:
    notes: list[str] = []
    cache = StatisticsCache(tmp_path, limit_bytes=2_000_000, note=notes.append)
    for _ in range(2):
        assert swd(sets, cache).measured == fresh.measured
    assert all("are not cached: the cache holds" in note for note in notes)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".npz"]


def test_a_disk_that_would_be_half_full_is_left_alone(
    sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(2**30, 2**30 - 2**20, 2**20))
    swd(sets, StatisticsCache(tmp_path / "new", note=notes.append))
    assert len(notes) == 2
    assert all("more than half of the 0.0 GiB that are free" in note for note in notes)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_costs_no_number_and_leaves_nothing(
    sets: tuple[Path, Path], fresh: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int, _data: object, _at: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    notes: list[str] = []
    monkeypatch.setattr(os, "pwrite", full)
    assert swd(sets, StatisticsCache(tmp_path, note=notes.append)).measured == fresh.measured
    [note] = notes
    assert note.startswith(f"{tmp_path}: the statistics cannot be cached (No space left on device)")
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]


def test_what_a_killed_process_left_goes_after_a_day(
    sets: tuple[Path, Path], tmp_path: Path
) -> None:
    old, new = tmp_path / "old.partial", tmp_path / "new.partial"
    for path, age in ((old, 90_000), (new, 60)):
        path.write_bytes(b"half")
        then = path.stat().st_mtime - age
        os.utime(path, (then, then))
    swd(sets, StatisticsCache(tmp_path))
    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize("groups", [0, 3, 4])
def test_rows_lie_side_by_side_without_a_gap(groups: int) -> None:
    settings = SwdSettings(patches=2, directions=40, repeats=2)
    layout = RowLayout(settings=settings, size=(32, 64), images=COUNT, groups=groups)
    taken = np.zeros(layout.numbers, int)
    rows = np.zeros(layout.rows, int)
    for part, (count, numbers) in zip(layout.places(), layout.parts, strict=True):
        for row, start, length in part:
            assert length == numbers
            taken[start : start + count * numbers] += 1
            rows[row : row + count] += 1
    assert (taken == 1).all()
    assert (rows == 1).all()
    images = [numbers // 2 for _, numbers in layout.parts]
    assert images[0] == COUNT
    assert sum(images[1:]) == (COUNT if groups else 0)
