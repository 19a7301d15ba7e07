"""Small sets of random squares, and readers of them that count or wait."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.imaging import encode_png
from pgan_toolkit.storage import FormatName, Record, StoredSource, open_sink, open_source
from reference_trainer.configuration.settings import DataSettings
from reference_trainer.reals import RealImages


def write_squares(
    path: Path,
    count: int = 10,
    *,
    side: int = 16,
    format_name: FormatName = "folder",
    labelled: bool = False,
) -> NDArray[np.uint8]:
    """Write noise; return it as uint8 (N, 3, side, side), in the order of the keys."""
    images = np.random.default_rng(1).integers(0, 256, (count, side, side, 3), np.uint8)
    with open_sink(path, format=format_name) as sink:
        for index, image in enumerate(images):
            sink.write(Record(f"{index:04d}", image, index % 3 if labelled else None))
    return images.transpose(0, 3, 1, 2)


def write_sizes(path: Path, *sizes: tuple[int, int]) -> Path:
    """Write a folder of pictures of these widths and heights."""
    path.mkdir()
    for index, (width, height) in enumerate(sizes):
        pixels = np.zeros((height, width, 3), np.uint8)
        (path / f"{index:04d}.png").write_bytes(encode_png(pixels))
    return path


def reals_of(
    source: StoredSource | Path,
    *,
    resolution: int = 16,
    cache: Path | None = None,
    mirror: bool = True,
    conditional: bool = False,
    seed: int = 0,
    workers: int = 2,
) -> RealImages:
    settings = DataSettings(resolution=resolution, mirror=mirror, conditional=conditional)
    opened = open_source(source) if isinstance(source, Path) else source
    return RealImages(
        opened, settings=settings, seed=seed, cache=cache, workers=workers, progress="quiet"
    )
