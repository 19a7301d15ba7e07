"""Distances along directions agree with SciPy, whatever the memory, threads and pieces."""

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from pgan_toolkit.errors import SetupError
from pgan_toolkit.metrics import slicing
from pgan_toolkit.metrics.descriptor_store import DescriptorStore
from pgan_toolkit.metrics.descriptors import SwdSettings
from pgan_toolkit.metrics.slicing import DescriptorSet, Slicer, random_directions

CPU = torch.device("cpu")
DIRECTIONS = random_directions((16, 16), 0, settings=SwdSettings(directions=150))


def _set(seed: int, *, mean: float = 900, spread: float = 300) -> DescriptorSet:
    values = np.random.default_rng(seed).normal(mean, spread, (70, 3, 147)).astype(np.int16)
    store = DescriptorStore(memory_gib=1)
    store.add(range(70), [values])
    return DescriptorSet(store, np.arange(70))


def _normalised(chosen: DescriptorSet) -> np.ndarray:
    values = chosen.store.read(0, chosen.picks).astype(np.float64).reshape(-1, 49, 3)
    mean, deviation = values.mean((0, 1), keepdims=True), values.std((0, 1), keepdims=True)
    return np.asarray((values - mean) / deviation).reshape(-1, 147)


def test_distances_are_those_of_scipy() -> None:
    real, fake = _set(1), _set(2, mean=31000, spread=100)
    found = Slicer(210, device=CPU).distances(real, fake, level=0, directions=DIRECTIONS[:9])
    a, b = _normalised(real) @ DIRECTIONS[:9].T, _normalised(fake) @ DIRECTIONS[:9].T
    expected = [wasserstein_distance(a[:, k], b[:, k]) for k in range(9)]
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_set_is_at_no_distance_from_itself_and_order_does_not_matter() -> None:
    real, fake = _set(1), _set(2)
    slicer = Slicer(210, device=CPU)
    assert not slicer.distances(real, real, level=0, directions=DIRECTIONS).any()
    there = slicer.distances(real, fake, level=0, directions=DIRECTIONS)
    back = slicer.distances(fake, real, level=0, directions=DIRECTIONS)
    assert there == pytest.approx(back, rel=1e-5)
    assert there.min() > 0


def test_memory_and_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> list[float]:
        slicer = Slicer(210, device=CPU)
        return list(slicer.distances(_set(1), _set(2), level=0, directions=DIRECTIONS))

    threads = torch.get_num_threads()
    expected = found()
    monkeypatch.setattr(slicing, "_CPU_BYTES", 1)
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            assert found() == expected
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)


def test_a_device_without_memory_takes_fewer_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    slicer = Slicer(210, device=CPU)
    expected = slicer.distances(_set(1), _set(2), level=0, directions=DIRECTIONS)
    project = Slicer._project

    def limited(self: Slicer, *args: object, out: torch.Tensor) -> object:
        if len(out) > 40:
            raise torch.OutOfMemoryError("out of memory")
        return project(self, *args, out=out)  # type: ignore[arg-type]

    monkeypatch.setattr(Slicer, "_project", limited)
    found = Slicer(210, device=CPU).distances(_set(1), _set(2), level=0, directions=DIRECTIONS)
    assert found == pytest.approx(expected, rel=1e-5)
    monkeypatch.setattr(Slicer, "_project", _no_memory)
    with pytest.raises(SetupError, match="no memory to sort 210 patches: use --device cpu"):
        Slicer(210, device=CPU).distances(_set(1), _set(2), level=0, directions=DIRECTIONS)


def _no_memory(*_: object, **__: object) -> np.ndarray:
    raise torch.OutOfMemoryError("out of memory")


def test_directions_are_unit_vectors_of_a_level_and_repeat() -> None:
    settings = SwdSettings(directions=2000)
    found = random_directions((32, 32), 0, settings=settings)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1)
    assert np.abs(found.mean(0)).max() < 5 / np.sqrt(147 * 2000)
    for level, repeat in (((32, 32), 1), ((16, 16), 0)):
        assert not np.array_equal(found, random_directions(level, repeat, settings=settings))
    assert np.array_equal(found, random_directions((32, 32), 0, settings=settings))
