import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference_trainer.networks.layers import LayerStyle
from reference_trainer.networks.minibatch import (
    MinibatchDiscrimination,
    MinibatchStddev,
    minibatch_discrimination,
    minibatch_stddev,
    stddev_group_size,
)


def _numpy_stddev(values: np.ndarray, size: int) -> np.ndarray:
    """Picture by picture: which are its group, and how far are they apart."""
    step = len(values) // size
    groups = [values[i % step :: step] for i in range(len(values))]
    return np.array([np.sqrt(group.var(axis=0) + 1e-8).mean() for group in groups])


@pytest.mark.parametrize(
    ("count", "group", "size"), [(8, 4, 4), (8, 0, 8), (3, 4, 3), (14, 4, 2), (6, 4, 3), (1, 4, 1)]
)
def test_stddev_is_numpys(rng, count: int, group: int, size: int) -> None:
    values = torch.randn(count, 3, 4, 4, generator=rng, dtype=torch.float64)
    made = minibatch_stddev(values, group=group).numpy()
    np.testing.assert_allclose(made, _numpy_stddev(values.numpy(), size), rtol=1e-12)


def test_groups_are_strided() -> None:
    """Pictures 0 and 2 are one group, 1 and 3 the other: the first is of one picture twice."""
    values = torch.tensor([5.0, 1.0, 5.0, 3.0]).view(4, 1, 1, 1).expand(4, 2, 4, 4)
    expected = torch.tensor([1e-4, 1, 1e-4, 1])
    torch.testing.assert_close(minibatch_stddev(values, group=2), expected)


@pytest.mark.parametrize(
    ("count", "wanted", "size"),
    [
        (16, 4, 4), (16, 0, 16), (2, 4, 2), (3, 4, 3), (1, 4, 1), (1, 0, 1),
        (14, 4, 2), (6, 4, 3), (9, 4, 3), (10, 4, 5), (15, 4, 3), (7, 4, 7), (8, 1, 2),
    ],
)  # fmt: skip
def test_group_sizes(count: int, wanted: int, size: int) -> None:
    assert stddev_group_size(count, wanted) == size


@given(count=st.integers(1, 200), wanted=st.integers(0, 64))
def test_a_group_divides_the_minibatch_and_is_no_picture_alone(count: int, wanted: int) -> None:
    size = stddev_group_size(count, wanted)
    assert count % size == 0
    assert size > 1 or count == 1


def test_the_map_is_added_last(rng) -> None:
    values = torch.randn(4, 3, 4, 4, generator=rng)
    made = MinibatchStddev(0)(values)
    assert torch.equal(made[:, :3], values)
    assert made[:, 3].unique().tolist() == [pytest.approx(float(values.numpy().std(axis=0).mean()))]


def test_minibatch_discrimination_is_the_papers_sum(rng) -> None:
    features = torch.randn(3, 4, 5, generator=rng, dtype=torch.float64)
    given = features.numpy()
    expected = np.zeros((3, 4))
    for i in range(3):
        for j in range(3):
            if i != j:
                expected[i] += np.exp(-np.abs(given[i] - given[j]).sum(axis=1))
    np.testing.assert_allclose(minibatch_discrimination(features).numpy(), expected, atol=1e-14)


def test_equal_pictures_are_counted_and_one_alone_is_not() -> None:
    assert minibatch_discrimination(torch.ones(4, 2, 5)).tolist() == [[3, 3]] * 4
    assert minibatch_discrimination(torch.ones(1, 2, 5)).tolist() == [[0, 0]]


def test_a_hundred_kernels_of_five_numbers(rng) -> None:
    style = LayerStyle(generator=torch.Generator().manual_seed(0))
    layer = MinibatchDiscrimination(16, style=style)
    assert layer.weight.shape == (500, 16)
    features = torch.randn(3, 16, generator=rng)
    made = layer(features)
    kernels = (features @ layer.weight.t() / 4).view(3, 100, 5)
    assert torch.equal(made[:, :16], features)
    torch.testing.assert_close(made[:, 16:], minibatch_discrimination(kernels))


def test_halves_are_measured_in_float32(rng) -> None:
    values = torch.randn(4, 8, 4, 4, generator=rng)
    made = minibatch_stddev(values.bfloat16(), group=4)
    assert made.dtype == torch.float32
    torch.testing.assert_close(made, minibatch_stddev(values, group=4), rtol=0.01, atol=0)
