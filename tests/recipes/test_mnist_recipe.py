import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from pgan_toolkit.errors import CheckFailed, DataError
from pgan_toolkit.recipes import RECIPES

MNIST = RECIPES["mnist"]


def _write(folder: Path, *, packed: bool, part: str = "train") -> tuple[np.ndarray, np.ndarray]:
    folder.mkdir(parents=True, exist_ok=True)
    images = np.random.default_rng(3).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    labels = np.array([5, 0, 4, 1, 9], np.uint8)
    for name, array in (("images-idx3", images), ("labels-idx1", labels)):
        header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
        path = folder / f"{part}-{name}-ubyte{'.gz' if packed else ''}"
        data = header + array.tobytes()
        path.write_bytes(gzip.compress(data) if packed else data)
    return images, labels


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("size", [28, 32])
def test_digits_become_grey_pictures_with_labels(
    tmp_path: Path, packed: bool, split: str, size: int
) -> None:
    part = "train" if split == "train" else "t10k"
    images, labels = _write(tmp_path, packed=packed, part=part)
    made = MNIST.open(tmp_path, split=split, size_px=size, verify=False)
    assert [record.label for record in made] == labels.tolist()
    border = (size - 28) // 2
    for image, record in zip(images, made, strict=True):
        assert record.image.shape == (size, size, 3)
        inside = record.image[border : size - border, border : size - border]
        assert all(np.array_equal(inside[:, :, channel], image) for channel in range(3))
        assert record.image.sum(dtype=int) == 3 * image.sum(dtype=int)  # the border is black


def test_torchvisions_folder_is_found(tmp_path: Path) -> None:
    _write(tmp_path / "MNIST" / "raw", packed=False)
    assert len(MNIST.open(tmp_path, verify=False)) == 5


def test_other_files_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, packed=True)
    with pytest.raises(CheckFailed, match=r"expected 9,912,422 .*expected 28,881 .*get them again"):
        MNIST.open(tmp_path)


def test_of_unpacked_files_the_number_is_compared(tmp_path: Path) -> None:
    _write(tmp_path, packed=False)
    with pytest.raises(CheckFailed, match="holds 5 pictures, expected the 60,000 published"):
        MNIST.open(tmp_path)


def test_missing_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="train-images-idx3-ubyte"):
        MNIST.open(tmp_path)


@pytest.mark.shared_data
def test_the_published_files_pass(shared_data: Path) -> None:
    made = MNIST.open(shared_data / "mnist", split="test", size_px=32)
    assert (len(made), made.checked) == (10_000, "2 files by the published size and sha256")
    assert [made[index].label for index in range(5)] == [7, 2, 1, 0, 4]


@pytest.mark.shared_data
def test_a_changed_byte_is_found(shared_data: Path, tmp_path: Path) -> None:
    for path in (shared_data / "mnist").glob("t10k-*.gz"):
        data = bytearray(path.read_bytes())
        data[100] ^= "labels" in path.name
        (tmp_path / path.name).write_bytes(data)
    labels = tmp_path / "t10k-labels-idx1-ubyte.gz"
    got = hashlib.sha256(labels.read_bytes()).hexdigest()
    with pytest.raises(CheckFailed, match=f"{labels}: sha256 {got}, expected f7ae60f9") as caught:
        MNIST.open(tmp_path, split="test")
    assert "images" not in str(caught.value)
