"""Nearest neighbours, against SciPy's plain distances; ties, blocks, order and merging."""

import itertools

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics import neighbours
from pgan_toolkit.metrics.neighbours import Neighbours, NeighbourSearch, nearest


def _features(count: int, length: int = 40, *, seed: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(count, length))).float()


def _same(one: Neighbours, other: Neighbours) -> bool:
    return torch.equal(one.indices, other.indices) and torch.equal(one.distances, other.distances)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 3e5])
def test_it_finds_what_plain_distances_say(scale: float) -> None:
    fake, real = _features(13, seed=1) * scale, _features(300, seed=2) * scale
    found = nearest(fake, real, k=5)
    plain = cdist(fake.double().numpy(), real.double().numpy())
    assert np.array_equal(found.indices.numpy(), np.argsort(plain, axis=1)[:, :5])
    np.testing.assert_allclose(found.distances, np.sort(plain, axis=1)[:, :5], rtol=1e-6)
    assert found.searched == 300
    assert found.distances.dtype == torch.float64


def test_known_distances() -> None:
    found = nearest(torch.zeros(1, 2), torch.tensor([[3.0, 4.0], [0.0, 1.0], [-5.0, 12.0]]), k=3)
    assert found.indices.tolist() == [[1, 0, 2]]
    assert found.distances.tolist() == [[1.0, 5.0, 13.0]]


def test_an_image_is_its_own_neighbour_at_distance_0() -> None:
    real = _features(50, length=2000, seed=3) * 100
    found = nearest(real[7:9].clone(), real, k=1)
    assert found.indices.tolist() == [[7], [8]]
    assert found.distances.tolist() == [[0.0], [0.0]]


def test_of_equal_distances_the_lower_index_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    pattern = _features(4, length=64, seed=4)
    real = pattern.repeat(30, 1)  # index i is pattern i % 4
    for block_bytes in (8 * 64 * 7, neighbours.BLOCK_BYTES):
        monkeypatch.setattr(neighbours, "BLOCK_BYTES", block_bytes)
        found = nearest(_features(9, length=64, seed=5), real, k=20)
        assert torch.equal(found.indices[:, :20] // 4, torch.arange(20).expand(9, 20))
        assert (found.distances == found.distances[:, :1]).all()


def test_blocks_batches_and_order_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, real = _features(11, seed=6), _features(90, seed=7).repeat(2, 1)
    whole = nearest(fake, real, k=6)
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", 8 * 40 * 5)
    assert _same(nearest(fake, real, k=6), whole)
    for order in itertools.permutations(((0, 7), (7, 130), (130, 180))):
        search = NeighbourSearch(fake, k=6)
        for start, stop in order:
            search.update(real[start:stop], first=start)
        assert _same(search.compute(), whole)


def test_merged_searches_find_what_one_finds() -> None:
    fake, real = _features(5, seed=8), _features(60, seed=9).repeat(2, 1)
    parts = [NeighbourSearch(fake, k=4) for _ in range(2)]
    parts[1].update(real[70:], first=70)
    parts[0].update(real[:70])
    parts[1].merge(parts[0])
    assert _same(parts[1].compute(), nearest(fake, real, k=4))


def test_thread_counts_do_not_matter() -> None:
    fake, real = _features(33, length=3001, seed=10), _features(257, length=3001, seed=11)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(nearest(fake, real, k=9))
    finally:
        torch.set_num_threads(before)
    assert _same(*found)


def test_inner_products_of_rounded_vectors_are_exact() -> None:
    values, squares = neighbours._exact(_features(3, length=500, seed=12) * 7)
    for one, other in itertools.product(range(3), repeat=2):
        unit = 2.0**-40  # finer than the rounding of any of these
        whole = [[int(number / unit) for number in values[each].tolist()] for each in (one, other)]
        exact = sum(a * b for a, b in zip(*whole, strict=True)) * unit * unit
        assert float(values[one] @ values[other]) == exact
        assert one != other or float(squares[one]) == exact


def test_constant_and_zero_features_give_no_nan() -> None:
    found = nearest(torch.zeros(2, 8), torch.cat([torch.ones(3, 8), torch.zeros(1, 8)]), k=4)
    assert found.indices.tolist() == [[3, 0, 1, 2]] * 2
    assert found.distances[0].tolist() == [0.0] + [8.0**0.5] * 3


@pytest.mark.parametrize("k", [0, 5])
def test_k_that_cannot_be_had_is_refused(k: int) -> None:
    with pytest.raises(UsageError, match=f"k={k}"):
        nearest(_features(2, seed=1), _features(4, seed=2), k=k)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (torch.zeros(3), "expected floats"),
        (torch.zeros((3, 40), dtype=torch.uint8), "expected floats"),
        (torch.full((3, 40), torch.nan), "no numbers"),
        (torch.zeros((3, 41)), "features of 41 numbers, queries of 40"),
    ],
)
def test_features_that_cannot_be_compared_are_refused(features: Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        nearest(_features(2, seed=1), features, k=1)


def test_seeing_an_image_twice_is_refused() -> None:
    search = NeighbourSearch(_features(2, seed=1), k=1)
    search.update(_features(5, seed=2))
    with pytest.raises(UsageError, match="taken before"):
        search.update(_features(5, seed=2), first=4)


def test_searches_of_different_queries_are_not_merged() -> None:
    with pytest.raises(UsageError, match="cannot be merged"):
        NeighbourSearch(_features(2, seed=1), k=1).merge(NeighbourSearch(_features(3, seed=1), k=1))
