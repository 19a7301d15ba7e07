"""Peak memory of the sliced Wasserstein distance of the whole protocol, streamed.

    python benchmarks/swd_memory.py [--images 16384] [--size 1024] [--threads 2]

The images are smooth random ones with noise, made as they are needed, eight at a time. 16,384 of
1024x1024 a side take about a quarter of an hour on one core, and 5 GiB of TMPDIR's disk.
"""

import argparse
import json
import resource
import time
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch import Tensor

from pgan_toolkit.metrics.swd import SlicedWasserstein
from pgan_toolkit.metrics.swd_statistics import SwdStatistics

_TOGETHER = 8


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=16384, help="of each side")
    parser.add_argument("--size", type=int, default=1024, help="pixels a side")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    start = time.perf_counter()
    real = SwdStatistics(None, side="real")
    for batch in batches(0, arguments.images, arguments.size):
        real.update(batch)
    metric = SlicedWasserstein(real)
    for batch in batches(1, arguments.images, arguments.size):
        metric.update(batch)
    cut = time.perf_counter() - start
    cut_gib = _peak_gib()
    result = metric.compute()
    found = {
        "images_a_side": arguments.images,
        "size": arguments.size,
        "threads": arguments.threads,
        "seconds_to_make_and_cut": cut,
        "seconds": time.perf_counter() - start,
        "peak_gib_when_cut": cut_gib,
        "peak_gib": _peak_gib(),
        "swd": result.value,
    }
    print(json.dumps(found, indent=1))


def batches(seed: int, images: int, size: int) -> Iterator[Tensor]:
    """Yield images uint8 (8, 3, size, size)."""
    for number in range(images // _TOGETHER):
        random = np.random.default_rng((seed, number))
        batch = np.empty((_TOGETHER, 3, size, size), np.uint8)
        for image in batch:
            coarse = random.integers(0, 256, (size // 16, size // 16, 3), np.uint8)
            noise = random.integers(0, 24, (size, size, 3), np.uint8)
            smooth = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
            image[:] = cv2.add(smooth, noise).transpose(2, 0, 1)
        yield torch.from_numpy(batch)


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
