"""Small sets, and a small network in Inception's place, for the tests of evaluations."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pgan_toolkit.evaluation import FeatureExtractor
from pgan_toolkit.imaging import encode_png
from pgan_toolkit.storage import Record

COUNT = 40


def pictures(seed: int, count: int = COUNT, *, size: int = 32) -> np.ndarray:
    """Smooth random pictures, uint8 (count, size, size, 3)."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, size // 8, size // 8, 3))
    fine = random.normal(0, 12, (count, size, size, 3))
    smooth = coarse.repeat(8, axis=1).repeat(8, axis=2)
    return np.clip(smooth + fine, 0, 255).astype(np.uint8)


def write_set(folder: Path, images: np.ndarray, *, first: int = 0) -> Path:
    """Write pictures as PNG files; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images, start=first):
        (folder / f"{number:03d}.png").write_bytes(encode_png(image))
    return folder


class Counting:
    """An `ImageSource` that counts how often each of its pictures is read."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images
        self.read: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Record:
        self.read[index] += 1
        return Record(str(index), self.images[index])

    def __iter__(self) -> Iterator[Record]:
        return (self[index] for index in range(len(self)))

    def keys(self) -> Sequence[str]:
        return [str(index) for index in range(len(self))]


class SmallNetwork(nn.Module):
    """Features are means of channels and cells; logits are random sums of them."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        cells = nn.functional.adaptive_avg_pool2d(images.float() / 64, 2).flatten(1)
        return cells, cells @ torch.linspace(-1, 1, 12 * 7).reshape(12, 7).sin()


def small_extractor(**_: object) -> FeatureExtractor:
    """What stands in for `open_extractor`."""
    return FeatureExtractor(
        SmallNetwork(), name="small", device=torch.device("cpu"), warnings=("it is small",)
    )


@pytest.fixture
def two_sets(tmp_path: Path) -> tuple[Path, Path]:
    """A real and a fake set, of which the fake one has more pictures."""
    return (
        write_set(tmp_path / "real", pictures(0)),
        write_set(tmp_path / "fake", pictures(5, COUNT + 6)),
    )


@pytest.fixture
def small_inception(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a small network in Inception's place; it goes to workers as it is."""
    place = "pgan_toolkit.evaluation.comparing.selecting"
    monkeypatch.setattr(f"{place}.open_extractor", lambda *_, **__: small_extractor())
