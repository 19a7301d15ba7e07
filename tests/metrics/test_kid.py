import itertools
import math

import numpy as np
import pytest

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics import kid
from pgan_toolkit.metrics.features import FeatureSet
from pgan_toolkit.metrics.kid import kernel_distance, squared_mmd
from pgan_toolkit.randomness import generator


def draw(seed: int, count: int, size: int = 5, *, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (count, size)).astype(np.float32)


def by_two_loops(x: np.ndarray, y: np.ndarray) -> float:
    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return (sum(float(s) * float(t) for s, t in zip(a, b, strict=True)) / len(a) + 1) ** 3

    within = [
        sum(kernel(a, b) for a, b in itertools.permutations(rows, 2))
        / (len(rows) * (len(rows) - 1))
        for rows in (x, y)
    ]
    across = sum(kernel(a, b) for a in x for b in y) / (len(x) * len(y))
    return sum(within) - 2 * across


@pytest.mark.parametrize(("n", "m"), [(2, 2), (7, 7), (5, 12)])
def test_the_estimate_is_that_of_two_loops(n: int, m: int) -> None:
    x, y = draw(0, n), draw(1, m, shift=0.3)
    assert squared_mmd(x, y) == pytest.approx(by_two_loops(x, y), rel=1e-12)


def test_blocks_do_not_change_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = draw(0, 50), draw(1, 40)
    expected = squared_mmd(x, y)
    monkeypatch.setattr(kid, "_ROWS_TOGETHER", 7)
    assert squared_mmd(x, y) == pytest.approx(expected, rel=1e-12)


def test_the_score_is_the_mean_over_seeded_subsets() -> None:
    x, y = draw(0, 30), draw(1, 40, shift=0.3)
    result = kernel_distance(x, y, subsets=5, subset_size=12, seed=3)
    values = []
    for index in range(5):
        random = generator(3, "kid subset", index)
        first = random.choice(30, 12, replace=False)
        second = random.choice(40, 12, replace=False)
        values.append(by_two_loops(x[first], y[second]))
    assert result.value == pytest.approx(np.mean(values), rel=1e-12)
    assert result.components == {"std over subsets": pytest.approx(np.std(values, ddof=1))}
    expected = np.std(values, ddof=1) * math.sqrt(12 / 18 + 1 / 5)
    assert result.standard_error == pytest.approx(expected)
    assert result.uncertainty == "jackknife by 5 subsets of 12 images"
    assert result.images == {"real": 30, "fake": 40}
    assert result.warnings == ()
    assert result.seed == 3


@pytest.mark.parametrize("size", [50, 150])
def test_the_standard_error_is_the_spread_over_other_images(size: int) -> None:
    results = [
        kernel_distance(
            draw(seed, 200), draw(1000 + seed, 200, shift=0.3), subsets=12, subset_size=size
        )
        for seed in range(50)
    ]
    errors = np.array([result.standard_error for result in results])
    assert errors.mean() == pytest.approx(
        np.std([result.value for result in results], ddof=1), rel=0.3
    )


def test_equal_distributions_have_no_distance_on_average() -> None:
    values = [squared_mmd(draw(seed, 20), draw(1000 + seed, 20)) for seed in range(400)]
    assert abs(np.mean(values)) < 4 * np.std(values) / 20
    assert min(values) < 0


def test_the_same_seed_gives_the_same_number() -> None:
    x, y = draw(0, 100), draw(1, 100)
    first, again, other = (
        kernel_distance(x, y, subsets=4, subset_size=20, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.value != other.value


def test_a_stream_is_the_set() -> None:
    x, y = draw(0, 30), draw(1, 30)
    held = FeatureSet()
    held.update(y[11:], first=11)
    held.update(y[:11], first=0)
    assert kernel_distance(x, held, subsets=3) == kernel_distance(x, y, subsets=3)


def test_whole_sets() -> None:
    x, y = draw(0, 30), draw(1, 25)
    result = kernel_distance(x, y, subsets=3, subset_size=10, whole_sets=True)
    assert result.components["whole sets"] == pytest.approx(by_two_loops(x, y), rel=1e-12)


def test_one_subset_has_no_spread() -> None:
    result = kernel_distance(draw(0, 30), draw(1, 25), subsets=1, subset_size=10)
    assert result.standard_error is None
    assert result.components == {}


@pytest.mark.parametrize(("count", "size", "drawn"), [(30, 1000, 15), (30, 30, 15), (30, 29, 29)])
def test_few_images_make_smaller_subsets(count: int, size: int, drawn: int) -> None:
    result = kernel_distance(draw(0, count), draw(1, 2000), subsets=3, subset_size=size)
    expected = f"30 images are too few for subsets of {size:,}: subsets of {drawn} were drawn"
    assert result.warnings == (() if drawn == size else (expected,))
    assert result.components["std over subsets"] > 1e-4  # they differ


def test_constant_features() -> None:
    ones = np.ones((10, 4))
    assert kernel_distance(ones, ones, subsets=3).value == 0
    # Kernels 8, 27 and 125: of 1 with 1, 1 with 2, 2 with 2.
    assert kernel_distance(ones, 2 * ones, subsets=3).value == pytest.approx(8 + 125 - 2 * 27)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_images(count: int) -> None:
    with pytest.raises(DataError, match=f"10 real and {count} fake images"):
        kernel_distance(draw(0, 10), draw(1, count))


def test_bad_arguments() -> None:
    with pytest.raises(DataError, match=r"5 dimensions \(real\) against 4 \(fake\)"):
        kernel_distance(draw(0, 10), draw(0, 10, 4))
    with pytest.raises(DataError, match="fake: 10 of 10 rows hold NaN"):
        kernel_distance(draw(0, 10), draw(0, 10) * np.nan)
    with pytest.raises(UsageError, match="0 subsets of 1000"):
        kernel_distance(draw(0, 10), draw(0, 10), subsets=0)
    with pytest.raises(UsageError, match="100 subsets of 1"):
        kernel_distance(draw(0, 10), draw(0, 10), subset_size=1)
