"""Time MS-SSIM against its definition in NumPy and SciPy, from uint8 images to the number.

Both run on the same images in turn, and the ratio is taken turn by turn, which a busy machine moves
less than the times themselves. Example::

    python benchmarks/ms_ssim.py --pairs 1000 --size 128 --threads 2 --json build/ms_ssim.json
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from plain_ms_ssim import plain_ms_ssim

from pgan_toolkit.metrics.ms_ssim import ms_ssim

__all__ = ["compare"]


def _seconds(work: Callable[[], float]) -> tuple[float, float]:
    start = time.perf_counter()
    value = work()
    return time.perf_counter() - start, value


def compare(*, pairs: int, size: int, turns: int) -> dict[str, float]:
    """Time both on noise; seconds are medians over turns, the ratio is the median of the turns'."""
    shape = (2 * pairs, 3, size, size)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    ms_ssim(images[:200])
    plain, ours, difference = [], [], 0.0
    for _ in range(turns):
        seconds, expected = _seconds(lambda: plain_ms_ssim(images))
        plain.append(seconds)
        seconds, value = _seconds(lambda: ms_ssim(images).value)
        ours.append(seconds)
        difference = max(difference, abs(value - expected))
    ratios = [slow / fast for slow, fast in zip(plain, ours, strict=True)]
    return {
        "pairs": pairs,
        "size": size,
        "threads": torch.get_num_threads(),
        "plain_s": statistics.median(plain),
        "ours_s": statistics.median(ours),
        "ratio": statistics.median(ratios),
        "lowest_ratio": min(ratios),
        "difference": difference,
    }


def main() -> None:
    """Print the table, and write it where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    row = compare(pairs=arguments.pairs, size=arguments.size, turns=arguments.turns)
    print(json.dumps(row, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(row, indent=2) + "\n")


if __name__ == "__main__":
    main()
