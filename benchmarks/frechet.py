"""Time the Frechet distance against SciPy's square root of a matrix.

Two cases: from means and covariances, of 2,048 dimensions and full rank; and from the features of
few images, where the plain version must go through covariances too. Both run in turn. Example::

    python benchmarks/frechet.py --threads 2 --json build/frechet.json
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from plain_frechet import plain_frechet, plain_frechet_of_moments
from threadpoolctl import threadpool_limits

from pgan_toolkit.metrics.frechet import frechet_distance
from pgan_toolkit.metrics.gaussian import Gaussian, GaussianStatistics

__all__ = ["compare", "features"]


def features(seed: int, *, images: int, dimensions: int) -> NDArray[np.float32]:
    """Correlated, not negative, and of a spectrum that decays, as those of a network are."""
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).normal(size=(dimensions, dimensions)) / dimensions**0.5
    scales = np.exp(-4 * np.arange(dimensions) / dimensions)
    rows = (random.normal(size=(images, dimensions)) * scales) @ mixing + 0.1 * (seed + 1)
    return np.asarray(np.maximum(rows, 0), np.float32)


def _gaussian(rows: NDArray[np.float32]) -> Gaussian:
    statistics_of_rows = GaussianStatistics()
    statistics_of_rows.update(rows)
    return statistics_of_rows.gaussian()


def _seconds(work: Callable[[], float]) -> tuple[float, float]:
    start = time.perf_counter()
    value = work()
    return time.perf_counter() - start, value


def compare(
    plain: Callable[[], float], ours: Callable[[], float], *, turns: int, times: int = 1
) -> dict[str, float]:
    """Time two ways to one number; seconds are medians, the ratio is the median of the turns'.

    In a turn ours is computed several `times`, where once is too short to be timed well.
    """
    slow, fast, difference = [], [], 0.0
    ours()
    for _ in range(turns):
        seconds, expected = _seconds(plain)
        slow.append(seconds)
        timed = [_seconds(ours) for _ in range(times)]
        fast.append(statistics.median(seconds for seconds, _ in timed))
        value = timed[-1][1]
        difference = max(difference, abs(value - expected) / abs(expected))
    ratios = [a / b for a, b in zip(slow, fast, strict=True)]
    return {
        "plain_s": statistics.median(slow),
        "ours_s": statistics.median(fast),
        "ratio": statistics.median(ratios),
        "lowest_ratio": min(ratios),
        "relative_difference": difference,
    }


def full_rank(*, dimensions: int, turns: int) -> dict[str, float]:
    """Both from the same means and covariances."""
    real, fake = (
        _gaussian(features(seed, images=3 * dimensions, dimensions=dimensions)) for seed in (0, 1)
    )
    return compare(
        lambda: plain_frechet_of_moments(real.mean, real.covariance, fake.mean, fake.covariance),
        lambda: frechet_distance(real, fake).value,
        turns=turns,
    )


def few_images(*, images: int, dimensions: int, turns: int) -> dict[str, float]:
    """Both from the same features."""
    real, fake = (features(seed, images=images, dimensions=dimensions) for seed in (0, 1))
    return compare(
        lambda: plain_frechet(real, fake),
        lambda: frechet_distance(real, fake).value,
        turns=turns,
        times=9,
    )


def main() -> None:
    """Print the rows, and write them where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    size, turns = arguments.dimensions, arguments.turns
    with threadpool_limits(arguments.threads):
        rows = {
            f"{size} dimensions, full rank": full_rank(dimensions=size, turns=turns),
            f"{size} dimensions, {arguments.images} images": few_images(
                images=arguments.images, dimensions=size, turns=turns
            ),
        }
    text = json.dumps({"threads": arguments.threads, **rows}, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
