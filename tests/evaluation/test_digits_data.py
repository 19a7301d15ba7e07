from pathlib import Path

import numpy as np
import pytest
from mnist_files import SIZES, bars, write_mnist

from pgan_toolkit.errors import DataError
from pgan_toolkit.evaluation.digits import load_mnist


@pytest.mark.parametrize("packed", [True, False])
def test_both_parts_are_read(tmp_path: Path, packed: bool) -> None:
    write_mnist(tmp_path, packed=packed)
    for seed, (part, count) in enumerate(SIZES.items()):
        digits = load_mnist(tmp_path, split="train" if part == "train" else "test")
        images, labels = bars(count, seed=seed)
        assert len(digits) == count
        assert np.array_equal(digits.images, images)
        assert np.array_equal(digits.labels, labels)


def test_a_missing_file_is_named_with_what_may_stand_for_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither t10k-images-idx3-ubyte nor .*ubyte\.gz"):
        load_mnist(tmp_path, split="test")


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ("00 00 08 01 00 00 00 02 01 02", "160 images and .* 2 labels"),
        ("00 00 08 01 00 00 00 a0 " + "0a " * 160, "label 10"),
        ("00 00 08 03", "expected 00 00 08 01"),
    ],
)
def test_labels_that_do_not_belong_are_refused(tmp_path: Path, labels: str, told: str) -> None:
    write_mnist(tmp_path)
    path = tmp_path / "train-labels-idx1-ubyte"
    path.write_bytes(bytes.fromhex(labels))
    with pytest.raises(DataError, match=told) as error:
        load_mnist(tmp_path, split="train")
    assert str(path) in str(error.value)


def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(bytes.fromhex("00 00 08 03 00 00 00 01 00 00 00 01 00 00 00 02 07 07"))
    with pytest.raises(DataError, match="1x2 pixels; expected 28x28"):
        load_mnist(tmp_path, split="train")
