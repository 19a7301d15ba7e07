"""Latent vectors by their seeds, and grids of the pictures that are made of them."""

import re
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import UsageError
from pgan_toolkit.randomness import generator

__all__ = [
    "fixed_latents",
    "grid_picture",
    "labels_of_seeds",
    "latents_of_seeds",
    "parse_grid",
    "present_classes",
    "to_uint8",
]

_GRID = re.compile(r"([1-9][0-9]{0,3})x([1-9][0-9]{0,3})")
_MOST_CELLS = 10_000


def latents_of_seeds(seeds: Sequence[int], *, latent_size: int) -> Tensor:
    """Return the latent vector of each seed, whatever the others are.

    Parameters
    ----------
    seeds : sequence of int
        0 or more.
    latent_size : int
        Numbers in a vector.

    Returns
    -------
    Tensor
        float32 (N, latent_size), N(0, 1), on the CPU.
    """
    rows = [
        generator(seed, "latents").standard_normal(latent_size, dtype=np.float32) for seed in seeds
    ]
    return torch.from_numpy(np.stack(rows))


def fixed_latents(count: int, latent_size: int, seed: int) -> Tensor:
    """Return the latent vectors of the seeds `seed`, `seed + 1`, ...: the pictures of a grid.

    Returns
    -------
    Tensor
        float32 (count, latent_size), on the CPU.
    """
    return latents_of_seeds(range(seed, seed + count), latent_size=latent_size)


def present_classes(label_counts: Sequence[int]) -> tuple[int, ...]:
    """Return the classes that have pictures, from how many each has."""
    return tuple(label for label, count in enumerate(label_counts) if count)


def labels_of_seeds(
    seeds: Sequence[int], *, label_count: int, classes: Sequence[int] = ()
) -> Tensor | None:
    """Return the class index of each seed: the classes take turns. None for a run without labels.

    Parameters
    ----------
    seeds : sequence of int
        0 or more.
    label_count : int
        Classes; 0: none.
    classes : sequence of int
        Those that take turns; empty: all.

    Returns
    -------
    Tensor | None
        int64 (N,), on the CPU.
    """
    if label_count == 0:
        return None
    turns = classes or range(label_count)
    return torch.tensor([turns[seed % len(turns)] for seed in seeds], dtype=torch.int64)


def to_uint8(images: Tensor) -> Tensor:
    """Return pictures of about -1..1 as 0..255, to the nearest, halves to the even one.

    Parameters
    ----------
    images : float Tensor
        (N, 1 or 3, H, W); grey is replicated.

    Returns
    -------
    Tensor
        uint8 (N, 3, H, W), on the same device.
    """
    levels = (images.float() * 127.5 + 127.5).clamp(0, 255).round().to(torch.uint8)
    return levels.expand(-1, 3, -1, -1).contiguous()


def parse_grid(text: str) -> tuple[int, int]:
    """Return the columns and the rows that "8x4" means.

    Raises
    ------
    UsageError
        It means none, or more than 10,000 pictures.
    """
    found = _GRID.fullmatch(text)
    if found is None:
        raise UsageError(f"grid {text!r}: expected columns and rows, such as 8x4")
    columns, rows = int(found[1]), int(found[2])
    if columns * rows > _MOST_CELLS:
        raise UsageError(
            f"grid {text!r}: {columns * rows:,} pictures; expected {_MOST_CELLS:,} at most"
        )
    return columns, rows


def grid_picture(images: Tensor, columns: int, rows: int) -> Image:
    """Put pictures side by side, row by row, without gaps.

    Parameters
    ----------
    images : uint8 Tensor
        (rows * columns, 3, H, W), RGB, on any device.
    columns, rows : int
        Of the grid.

    Returns
    -------
    Image
        uint8 (rows * H, columns * W, 3).

    Raises
    ------
    UsageError
        The number of pictures is another.
    """
    count, channels, height, width = images.shape
    if count != columns * rows:
        raise UsageError(
            f"{count} pictures for a grid of {columns}x{rows}: expected {columns * rows}"
        )
    cells = images.cpu().numpy().reshape(rows, columns, channels, height, width)
    page = cells.transpose(0, 3, 1, 4, 2).reshape(rows * height, columns * width, channels)
    return np.ascontiguousarray(page)
