import numpy as np

from pgan_toolkit.imaging import sum_of_absolute_differences


def test_it_is_the_sum_in_float64() -> None:
    random = np.random.default_rng(0)
    left, right = random.normal(size=(2, 100_003)).astype(np.float32)
    expected = np.abs(left.astype(np.float64) - right).sum()
    assert abs(sum_of_absolute_differences(left, right) / expected - 1) < 1e-9
    assert sum_of_absolute_differences(left, left) == 0
