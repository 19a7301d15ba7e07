from pathlib import Path

import numpy as np
import pytest
import torch
from mnist_files import bars, write_mnist

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.evaluation.digits import Digits, count_modes, stacked_digits
from pgan_toolkit.evaluation.streams import ImageStream, StreamSettings
from pgan_toolkit.storage import FormatName, Record, open_sink, open_source

DIGITS = Digits(*bars(50, seed=0))


class Bars:
    """Finds the row of the bar."""

    identity = "bars"

    def __call__(self, digits: torch.Tensor) -> torch.Tensor:
        return ((digits == 255).any(2).int().argmax(1) - 4) // 2


def _written(path: Path, count: int, *, size_px: int = 28, format_name: FormatName = "zip") -> Path:
    with open_sink(path, format=format_name) as sink:
        for record in stacked_digits(DIGITS, images=count, size_px=size_px):
            sink.write(record)
    return path


@pytest.mark.parametrize("size_px", [28, 32])
def test_each_channel_holds_a_digit_and_the_label_says_which(size_px: int) -> None:
    known = {image.tobytes(): int(label) for image, label in zip(*bars(50, seed=0), strict=True)}
    border = (size_px - 28) // 2
    seen = set()
    for record in stacked_digits(DIGITS, images=40, size_px=size_px):
        assert record.image.shape == (size_px, size_px, 3)
        inner = record.image[border : size_px - border, border : size_px - border]
        digits = [
            known[np.ascontiguousarray(inner[..., channel]).tobytes()] for channel in range(3)
        ]
        assert record.label == digits[0] + 10 * digits[1] + 100 * digits[2]
        assert record.image.sum(dtype=int) == inner.sum(dtype=int)
        seen.add(record.label)
    assert len(seen) > 30


def test_a_smaller_set_begins_a_larger_one_and_seeds_differ() -> None:
    def labels(images: int, seed: int) -> list[int | None]:
        return [each.label for each in stacked_digits(DIGITS, images=images, seed=seed)]

    assert labels(20, 5)[:8] == labels(8, 5)
    assert labels(20, 5) != labels(20, 6)


def test_keys_are_folders_of_a_thousand() -> None:
    keys = [each.key for each in stacked_digits(DIGITS, images=1001)]
    assert (keys[0], keys[999], keys[1000]) == (
        "00000/img00000000",
        "00000/img00000999",
        "00001/img00001000",
    )
    assert sorted(keys) == keys


@pytest.mark.parametrize("changes", [{"size_px": 30}, {"images": 0}, {"seed": -1}])
def test_senseless_sets_are_refused_at_once(changes: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="expected"):
        stacked_digits(DIGITS, **{"images": 1, **changes})


@pytest.mark.parametrize("format_name", ["folder", "zip", "hdf5", "hdf5-multires"])
def test_a_stored_set_has_the_modes_of_its_labels(tmp_path: Path, format_name: FormatName) -> None:
    path = _written(tmp_path / "set", 90, size_px=32, format_name=format_name)
    labels = open_source(path).labels()
    modes, read = count_modes(
        ImageStream(path, StreamSettings(mode="quiet")), classifier=Bars(), images=30, repeats=3
    )
    assert len(read) == 90
    assert np.array_equal(modes.histogram, np.bincount(labels, minlength=1000))
    parts = [len(set(labels[start : start + 30])) for start in (0, 30, 60)]
    assert modes.compute().value == pytest.approx(np.mean(parts))


def test_only_whole_repeats_are_read(tmp_path: Path) -> None:
    stream = ImageStream(_written(tmp_path / "set.zip", 25), StreamSettings(mode="quiet"))
    modes, read = count_modes(stream, classifier=Bars(), images=10, repeats=3)
    assert (len(read), modes.histogram.sum()) == (20, 20)
    modes, read = count_modes(stream, classifier=Bars(), images=30, repeats=3)
    assert (len(read), modes.histogram.sum()) == (25, 25)


def test_another_size_is_refused_by_the_sets_name(tmp_path: Path) -> None:
    path = tmp_path / "wide.zip"
    with open_sink(path) as sink:
        sink.write(Record("a", np.zeros((64, 64, 3), np.uint8)))
    with pytest.raises(DataError, match=r"wide\.zip: images of 64x64"):
        count_modes(ImageStream(path, StreamSettings(mode="quiet")), classifier=Bars())


def test_the_files_of_the_tiny_set_can_be_stacked(tmp_path: Path) -> None:
    from pgan_toolkit.evaluation.digits import load_mnist

    digits = load_mnist(write_mnist(tmp_path), split="test")
    assert {each.label % 10 for each in stacked_digits(digits, images=60)} == set(range(10))
