"""Small data sets that the storage tests share."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pgan_toolkit.arrays import Image
from pgan_toolkit.storage import FormatName, Record, StoredSource, open_sink


def picture(seed: int, *, height: int = 8, width: int = 8) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def records(count: int = 5, *, size: int = 8) -> list[Record]:
    """Records in key order, with keys in folders, not all of them ASCII or labelled."""
    labels = [2, None, 0]
    return [
        Record(
            f"f{index // 3}/é {index:02d}",
            picture(index, height=size, width=size),
            labels[index % 3],
        )
        for index in range(count)
    ]


def written(path: Path, rows: Sequence[Record], format_name: FormatName) -> Path:
    with open_sink(path, format=format_name) as sink:
        for row in rows:
            sink.write(row)
    return path


def same(got: StoredSource, expected: Sequence[Record]) -> bool:
    return len(got) == len(expected) and all(
        a.key == b.key and a.label == b.label and np.array_equal(a.image, b.image)
        for a, b in zip(got, expected, strict=True)
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
