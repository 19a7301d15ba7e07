import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgan_toolkit.errors import UsageError
from reference_trainer.reals import ShowingOrder


def test_each_epoch_shows_each_picture_once_in_an_order_of_its_own() -> None:
    order = ShowingOrder(100, seed=3, mirror=True)
    epochs = [order.at(epoch * 100, 100).indices for epoch in range(4)]
    for indices in epochs:
        assert np.array_equal(np.sort(indices), np.arange(100))
    assert len({tuple(indices) for indices in epochs}) == 4


@given(
    pictures=st.integers(1, 12),
    first=st.integers(0, 60),
    counts=st.lists(st.integers(0, 30), min_size=1, max_size=5),
)
def test_the_split_into_minibatches_does_not_matter(
    pictures: int, first: int, counts: list[int]
) -> None:
    whole = ShowingOrder(pictures, seed=1, mirror=True).at(first, sum(counts))
    # one that is asked anew, as after a resume, for each part
    starts = first + np.cumsum([0, *counts])
    parts = [
        ShowingOrder(pictures, seed=1, mirror=True).at(int(start), count)
        for start, count in zip(starts, counts, strict=False)
    ]
    assert np.array_equal(whole.indices, np.concatenate([part.indices for part in parts]))
    assert np.array_equal(whole.mirrored, np.concatenate([part.mirrored for part in parts]))


def test_the_shares_of_two_processes_make_the_minibatch() -> None:
    order = ShowingOrder(50, seed=0, mirror=True)
    whole = order.at(96, 8)
    shares = [order.at(96 + rank * 4, 4) for rank in range(2)]
    assert np.array_equal(whole.indices, np.concatenate([share.indices for share in shares]))


def test_seeds_differ_and_repeat() -> None:
    first = ShowingOrder(1000, seed=5, mirror=True).at(0, 1000)
    again = ShowingOrder(1000, seed=5, mirror=True).at(0, 1000)
    other = ShowingOrder(1000, seed=6, mirror=True).at(0, 1000)
    assert np.array_equal(first.indices, again.indices)
    assert np.array_equal(first.mirrored, again.mirrored)
    assert not np.array_equal(first.indices, other.indices)
    assert not np.array_equal(first.mirrored, other.mirrored)


def test_half_are_mirrored_and_not_always_the_same() -> None:
    order = ShowingOrder(4000, seed=0, mirror=True)
    flags = []
    for epoch in range(2):
        shown = order.at(epoch * 4000, 4000)
        flags.append(shown.mirrored[np.argsort(shown.indices)])
        # 8 standard deviations of a binomial distribution
        assert abs(shown.mirrored.sum() - 2000) < 8 * np.sqrt(1000)
    assert abs(int((flags[0] == flags[1]).sum()) - 2000) < 8 * np.sqrt(1000)


def test_order_does_not_depend_on_mirroring() -> None:
    plain = ShowingOrder(30, seed=0, mirror=False).at(5, 60)
    assert not plain.mirrored.any()
    mirrored = ShowingOrder(30, seed=0, mirror=True).at(5, 60)
    assert np.array_equal(plain.indices, mirrored.indices)


@pytest.mark.parametrize(("first", "count"), [(-1, 2), (0, -2)])
def test_negative_positions_are_refused(first: int, count: int) -> None:
    with pytest.raises(UsageError, match="expected 0 or more"):
        ShowingOrder(3, seed=0, mirror=True).at(first, count)


def test_no_pictures_are_refused() -> None:
    with pytest.raises(UsageError, match="pictures=0"):
        ShowingOrder(0, seed=0, mirror=True)
