"""Small sets of pictures that the tests of metric commands measure."""

from pathlib import Path

import numpy as np

from pgan_toolkit.imaging import encode_jpeg, encode_png


def pictures(seed: int, count: int, *, size: int = 32) -> np.ndarray:
    """Smooth random pictures, uint8 (count, size, size, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, size // 8, size // 8, 3))
    fine = np.random.default_rng(seed + 1).normal(0, 12, (count, size, size, 3))
    smooth = coarse.repeat(8, axis=1).repeat(8, axis=2)
    return np.clip(smooth + fine, 0, 255).astype(np.uint8)


def write_set(folder: Path, images: np.ndarray, *, jpeg: bool = False) -> Path:
    """Write pictures as files; return the folder."""
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        data = encode_jpeg(image, quality=90) if jpeg else encode_png(image)
        (folder / f"{number:03d}.{'jpg' if jpeg else 'png'}").write_bytes(data)
    return folder


def truncate(path: Path) -> None:
    """Make a picture file unreadable."""
    path.write_bytes(path.read_bytes()[:60])
