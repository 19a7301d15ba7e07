"""A tiny MNIST: digits that are bars, as many as their class says, in files like the official."""

import gzip
import struct
from pathlib import Path

import numpy as np

SIZES = {"train": 160, "t10k": 40}


def bars(count: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 28, 28) with noise, and labels: class c has its bar in row 2 c + 4."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % 10).astype(np.uint8)
    images = rng.integers(0, 40, (count, 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 4 : 2 * label + 6, 4:24] = 255
    return images, labels


def write_mnist(folder: Path, *, packed: bool = False) -> Path:
    """Write the four files, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (part, count) in enumerate(SIZES.items()):
        images, labels = bars(count, seed=seed)
        _write(folder / f"{part}-images-idx3-ubyte", images, packed=packed)
        _write(folder / f"{part}-labels-idx1-ubyte", labels, packed=packed)
    return folder


def _write(path: Path, array: np.ndarray, *, packed: bool) -> None:
    data = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    data += array.tobytes()
    if packed:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(data))
    else:
        path.write_bytes(data)
