"""Time the trainer's real pictures against `torch.utils.data.DataLoader`, resolution by resolution.

Both read the same set, decode by the same decoder, reduce by the same means, mirror half and give
uint8 minibatches. "cached" has the pictures of at most 128 pixels on the disk, reduced; "decoded"
decodes each picture whenever it is shown, by threads; the peer does so in worker processes. Turns
alternate, and medians are given. Example::

    python benchmarks/trainer_reals.py --data faces_1024 --json build/trainer_reals.json
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import reference_trainer.reals.real_images as real_images_module
from pgan_toolkit.engines import available_cores
from pgan_toolkit.storage import StoredSource, open_source
from reference_trainer.configuration.settings import DataSettings
from reference_trainer.reals import BatchPlan, RealImages, RealLoader, reduce_images

__all__ = ["PlainDataset", "compare"]

_ENDLESS = 1 << 40
_MINIBATCH_SIZES = {256: 14, 512: 6, 1024: 3}  # the paper's; 16 below

Next = Callable[[], Tensor]


class PlainDataset(Dataset[Tensor]):
    """The peer: one picture a position, as anybody would write it."""

    def __init__(self, source: StoredSource, resolution: int) -> None:
        self.source, self.resolution = source, resolution

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Tensor:
        """Decode, reduce and mirror one picture: uint8 (3, r, r)."""
        planes = np.ascontiguousarray(self.source[index].image.transpose(2, 0, 1))
        reduced = reduce_images(planes[None], resolution=self.resolution)[0]
        return torch.from_numpy(reduced[..., ::-1].copy() if torch.rand(()) < 0.5 else reduced)


class _Endless(torch.utils.data.Sampler[list[int]]):
    """Minibatches of one shuffled epoch after the other."""

    def __init__(self, count: int, size: int) -> None:
        self.count, self.size = count, size

    def __iter__(self) -> Iterator[list[int]]:
        left: list[int] = []
        while True:
            left += torch.randperm(self.count).tolist()
            while len(left) >= self.size:
                yield left[: self.size]
                left = left[self.size :]


@contextmanager
def _ours(reals: RealImages, resolution: int, size: int) -> Iterator[Next]:
    plans = (BatchPlan(first, size, resolution) for first in range(0, _ENDLESS, size))
    with RealLoader(reals, plans, device=torch.device("cpu")) as loader:
        yield lambda: next(loader).images


@contextmanager
def _peer(source: StoredSource, resolution: int, size: int, workers: int) -> Iterator[Next]:
    loader = DataLoader(
        PlainDataset(source, resolution),
        batch_sampler=_Endless(len(source), size),
        num_workers=workers,
    )
    batches = iter(loader)
    yield lambda: next(batches)
    del batches  # ends the processes


def _pictures_per_s(following: Next, *, workers: int, seconds: float) -> float:
    """Measure whole rounds of one minibatch a worker: the peer's workers end theirs together."""
    for _ in range(2 * workers):
        following()
    shown, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        shown += sum(len(following()) for _ in range(workers))
    return shown / passed


def compare(
    source: StoredSource,
    *,
    resolutions: list[int],
    cache: Path,
    workers: int,
    turns: int,
    seconds: float,
) -> list[dict[str, float]]:
    """Measure pictures a second of the three, at each resolution."""
    settings = DataSettings(resolution=max(resolutions))
    start = time.perf_counter()
    cached = RealImages(source, settings=settings, seed=0, cache=cache, workers=workers)
    made_s = time.perf_counter() - start
    print(f"cache of {len(source)} pictures made in {made_s:.1f} s")
    real_images_module._MOST_IN_MEMORY_BYTES = 0
    decoded = RealImages(source, settings=settings, seed=0, cache=None, workers=workers)
    rows = []
    for size in resolutions:
        minibatch = _MINIBATCH_SIZES.get(size, 16)
        found: dict[str, list[float]] = {"cached": [], "decoded": [], "peer": []}
        for _ in range(turns):
            for name, opened in (
                ("cached", _ours(cached, size, minibatch)),
                ("decoded", _ours(decoded, size, minibatch)),
                ("peer", _peer(source, size, minibatch, workers)),
            ):
                with opened as following:
                    rate = _pictures_per_s(following, workers=workers, seconds=seconds)
                found[name].append(rate)
        medians = {name: round(statistics.median(rates), 1) for name, rates in found.items()}
        rows.append({"resolution": size, "minibatch_size": minibatch, **medians})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Print the table, and write it where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="square pictures")
    parser.add_argument("--resolutions", default="4,8,16,32,64,128,256,512,1024")
    parser.add_argument("--workers", type=int, default=available_cores())
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        rows = compare(
            open_source(arguments.data),
            resolutions=[int(size) for size in arguments.resolutions.split(",")],
            cache=Path(cache),
            workers=arguments.workers,
            turns=arguments.turns,
            seconds=arguments.seconds,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
