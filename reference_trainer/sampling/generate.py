"""Pictures of many seeds: into a data set of any format, or side by side in one file."""

import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from pgan_toolkit.arrays import Image
from pgan_toolkit.engines import available_cores
from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging import encode_png
from pgan_toolkit.storage import Record, StoredSink
from reference_trainer.sampling.grids import grid_picture
from reference_trainer.sampling.sampler import Sampler

__all__ = ["draw_grid", "parse_seeds", "records_of_seeds", "seed_key", "write_pictures"]

_RANGE = re.compile(r"([0-9]{1,12})(?:-([0-9]{1,12}))?")
_MOST_SEEDS = 10_000_000
_MOST_WORKERS = 8

Advance = Callable[[], None]


def seed_key(seed: int) -> str:
    """Key of the picture of a seed: 123 is "seed000123"."""
    return f"seed{seed:06d}"


def parse_seeds(text: str) -> list[int]:
    """Return the seeds that "0-31,77" means, in its order.

    Raises
    ------
    UsageError
        It means none, a range runs backwards, or a seed is named twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            raise UsageError(f"seeds {text!r}: expected numbers and ranges, such as 0-31,77")
        first = int(found[1])
        last = first if found[2] is None else int(found[2])
        if last < first:
            raise UsageError(f"seeds {text!r}: {part} runs backwards; write {last}-{first}")
        if len(seeds) + last - first >= _MOST_SEEDS:
            raise UsageError(f"seeds {text!r}: more than {_MOST_SEEDS:,}; take several commands")
        seeds.extend(range(first, last + 1))
    if len(set(seeds)) < len(seeds):
        twice = next(seed for seed, count in Counter(seeds).items() if count > 1)
        raise UsageError(f"seeds {text!r}: {twice} is named twice; name each seed once")
    return seeds


def records_of_seeds(
    sampler: Sampler, seeds: Sequence[int], *, label: int | None = None
) -> Iterator[Record]:
    """Make the picture of each seed in turn, as a data set holds it.

    Raises
    ------
    UsageError
        The run has no such label.
    DataError
        The generator gives values that are no numbers.
    """
    for seed in seeds:
        image = sampler.of_seed(seed, label=label)[0].permute(1, 2, 0).contiguous().numpy()
        labels = sampler.labels([seed], label=label)
        yield Record(seed_key(seed), image, None if labels is None else int(labels[0]))


def write_pictures(
    sampler: Sampler,
    seeds: Sequence[int],
    sink: StoredSink,
    *,
    files: bool,
    label: int | None = None,
    advance: Advance | None = None,
) -> None:
    """Make the picture of each seed and write it, in order.

    Parameters
    ----------
    sampler : Sampler
        What draws them.
    seeds : sequence of int
        One a picture.
    sink : StoredSink
        Where to; it stays open.
    files : bool
        Whether the sink keeps PNG files: threads then encode them, while the next are drawn.
    label : int | None
        The class of all, where the run has labels; None: in turn.
    advance : callable | None
        Called after each picture.
    """
    records = records_of_seeds(sampler, seeds, label=label)
    if not files:
        for record in records:
            sink.write(record)
            _call(advance)
        return
    for record, png in _encoded(records):
        sink.write_encoded(record.key, png, record.label)
        _call(advance)


def draw_grid(
    sampler: Sampler,
    seeds: Sequence[int],
    *,
    columns: int,
    label: int | None = None,
    advance: Advance | None = None,
) -> Image:
    """Draw the pictures of the seeds side by side, row by row.

    Returns
    -------
    Image
        uint8 (rows * resolution, columns * resolution, 3).

    Raises
    ------
    UsageError
        They do not fill the rows.
    """
    pictures = []
    for seed in seeds:
        pictures.append(sampler.of_seed(seed, label=label))
        _call(advance)
    return grid_picture(torch.cat(pictures), columns, len(seeds) // columns)


def _encoded(records: Iterator[Record]) -> Iterator[tuple[Record, bytes]]:
    """Encode by threads, for which PNG's encoder releases Python's lock, a few ahead."""
    workers = min(available_cores(), _MOST_WORKERS)
    pending: deque[tuple[Record, Future[bytes]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for record in records:
            pending.append((record, pool.submit(encode_png, np.asarray(record.image))))
            if len(pending) >= 2 * workers:
                first, png = pending.popleft()
                yield first, png.result()
        while pending:
            first, png = pending.popleft()
            yield first, png.result()


def _call(advance: Advance | None) -> None:
    if advance is not None:
        advance()
