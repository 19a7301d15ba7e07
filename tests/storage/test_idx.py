"""Bytes are written out here by hand, after the description on MNIST's page."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.idx import read_idx

LABELS = bytes.fromhex("00 00 08 01 00 00 00 03 05 00 09")
IMAGES = bytes.fromhex("00 00 08 03 00 00 00 02 00 00 00 01 00 00 00 02 00 01 fe ff")


def _written(folder: Path, data: bytes) -> Path:
    path = folder / "some-idx-ubyte"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_literal_files_are_read(tmp_path: Path, pack) -> None:
    labels = read_idx(_written(tmp_path, pack(LABELS)), ndim=1)
    assert labels.tolist() == [5, 0, 9]
    images = read_idx(_written(tmp_path, pack(IMAGES)), ndim=3)
    assert images.dtype == np.uint8
    assert images.shape == (2, 1, 2)
    assert images.tolist() == [[[0, 1]], [[254, 255]]]
    images[0] = 7  # what was read may be changed


def test_an_array_without_elements_is_read(tmp_path: Path) -> None:
    assert read_idx(_written(tmp_path, LABELS[:4] + bytes(4)), ndim=1).shape == (0,)


@pytest.mark.parametrize(
    ("data", "ndim", "told"),
    [
        (b"", 1, "begins with nothing"),
        (LABELS, 3, "00 00 08 01; expected 00 00 08 03"),
        (b"\x00\x00\x0d\x01" + LABELS[4:], 1, "expected 00 00 08 01"),
        (LABELS[:6], 1, "cut short"),
        (LABELS[:-1], 1, "10 bytes; expected 11"),
        (LABELS + b"\x00", 1, "12 bytes; expected 11"),
        (IMAGES[:4] + b"\xff" * 12, 3, "expected 79,228"),
        (gzip.compress(LABELS, mtime=0)[:-9], 1, "damaged gzip data"),
        (gzip.compress(LABELS, mtime=0)[:12] + b"\x55" * 9, 1, "damaged gzip data"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path: Path, data: bytes, ndim: int, told: str) -> None:
    path = _written(tmp_path, data)
    with pytest.raises(DataError, match=told) as error:
        read_idx(path, ndim=ndim)
    assert str(path) in str(error.value)
    assert "get the official MNIST file again" in str(error.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path / "none", ndim=1)
    with pytest.raises(DataError, match="not a file"):
        read_idx(tmp_path, ndim=1)


@pytest.mark.shared_data
@pytest.mark.parametrize(("part", "count"), [("train", 60_000), ("t10k", 10_000)])
def test_mnists_own_files(shared_data: Path, part: str, count: int) -> None:
    images = read_idx(shared_data / "mnist" / f"{part}-images-idx3-ubyte.gz", ndim=3)
    labels = read_idx(shared_data / "mnist" / f"{part}-labels-idx1-ubyte.gz", ndim=1)
    assert images.shape == (count, 28, 28)
    assert labels.shape == (count,)
    # Published: the mean and deviation of the training pixels, and the first labels.
    if part == "train":
        assert images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
        assert images.std() / 255 == pytest.approx(0.3081, abs=5e-5)
        assert labels[:5].tolist() == [5, 0, 4, 1, 9]
    else:
        assert labels[:5].tolist() == [7, 2, 1, 0, 4]
