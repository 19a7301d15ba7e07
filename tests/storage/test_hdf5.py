"""HDF5: the reader is fed files that h5py wrote by itself, and h5py reads what the sinks wrote."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from stored_sets import names, picture, records, written

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError
from pgan_toolkit.storage import FormatName, Record, open_sink, open_source
from pgan_toolkit.storage.hdf5 import halvings

HDF5_FORMATS: list[FormatName] = ["hdf5", "hdf5-multires"]


def made(path: Path, *, attributes: dict[str, Any] | None = None, **datasets: Any) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs.update(attributes or {})
        for name, values in datasets.items():
            file[name] = values
    return path


def legacy(path: Path, count: int = 3, channels: int = 3) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A file as progressive GAN programs wrote it: no mark, no keys, levels down to 1x1."""
    rng = np.random.default_rng(0)
    full = rng.integers(0, 256, (count, channels, 8, 8), dtype=np.uint8)
    levels: dict[str, Any] = {f"data{px}x{px}": full[:, :, :px, :px] for px in (1, 2, 4, 8)}
    made(path, **levels)
    return full


def test_plain_layout_as_h5py_reads_it(tmp_path: Path) -> None:
    rows = records(4)
    with h5py.File(written(tmp_path / "a.h5", rows, "hdf5")) as file:
        assert dict(file.attrs) == {"format": "pgan-toolkit hdf5", "version": 1}
        assert set(file) == {"images", "keys", "labels"}
        assert file["images"].dtype == np.uint8
        assert np.array_equal(file["images"], np.stack([row.image for row in rows]))
        assert list(file["keys"].asstr()) == [row.key for row in rows]
        assert file["labels"].dtype == np.dtype("<i8")
        assert list(file["labels"]) == [2, -1, 0, 2]


def test_there_are_no_files_in_it(tmp_path: Path) -> None:
    rows = records(2)
    source = open_source(written(tmp_path / "a.h5", rows, "hdf5"))
    assert source.encoded(0) is None
    assert source.name(1) == f"{tmp_path / 'a.h5'}: {rows[1].key}"


def test_multires_layout_as_h5py_reads_it(tmp_path: Path) -> None:
    rows = records(4, size=16)
    with h5py.File(written(tmp_path / "a.h5", rows, "hdf5-multires")) as file:
        assert dict(file.attrs) == {"format": "pgan-toolkit hdf5-multires", "version": 1}
        assert set(file) == {"data16x16", "data8x8", "data4x4", "keys", "labels"}
        full = np.stack([row.image for row in rows]).transpose(0, 3, 1, 2)
        assert np.array_equal(file["data16x16"], full)
        for px in (8, 4):
            blocks = full.reshape(4, 3, px, 16 // px, px, 16 // px).astype(np.float64)
            means = np.rint(blocks.mean(axis=(3, 5)))
            assert file[f"data{px}x{px}"].shape == (4, 3, px, px)
            assert np.array_equal(file[f"data{px}x{px}"], means)
        assert list(file["keys"].asstr()) == [row.key for row in rows]


def test_halves_round_to_even_and_only_once() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[0, 0] = 2  # mean of 2x2: 0.5 -> 0
    image[0, 2] = 6  # 1.5 -> 2
    image[2, 0] = 12  # 3.0 -> 3; mean of all sixteen: 20 / 16 = 1.25 -> 1
    levels = halvings(image, smallest_px=1)
    assert [level.shape for level in levels] == [(4, 4, 3), (2, 2, 3), (1, 1, 3)]
    assert levels[1][..., 0].tolist() == [[0, 2], [3, 0]]
    assert levels[2][0, 0].tolist() == [1, 1, 1]


@given(arrays(np.uint8, (8, 8, 3)))
def test_every_level_is_the_mean_of_the_full_picture(image: Image) -> None:
    for level in halvings(image, smallest_px=1):
        px = level.shape[0]
        blocks = image.reshape(px, 8 // px, px, 8 // px, 3)
        assert np.array_equal(level, np.rint(blocks.mean(axis=(1, 3))))


@given(st.integers(0, 255))
def test_flat_pictures_stay_flat(value: int) -> None:
    image = np.full((8, 8, 3), value, np.uint8)
    assert all((level == value).all() for level in halvings(image, smallest_px=4))


def test_legacy_files_without_keys_are_read(tmp_path: Path) -> None:
    full = legacy(tmp_path / "a.h5")
    source = open_source(tmp_path / "a.h5")
    assert source.format == "hdf5-multires"
    assert list(source.keys()) == [f"00000/img0000000{index}" for index in range(3)]
    assert source.labels() == (None, None, None)
    for index in range(3):
        image = source[index].image
        assert image.flags.c_contiguous
        assert np.array_equal(image, full[index].transpose(1, 2, 0))


def test_legacy_grey_files_are_read_as_rgb(tmp_path: Path) -> None:
    full = legacy(tmp_path / "a.h5", channels=1)
    image = open_source(tmp_path / "a.h5")[1].image
    assert image.shape == (8, 8, 3)
    assert all(np.array_equal(image[..., channel], full[1, 0]) for channel in range(3))


def test_plain_files_of_others_are_read_in_stored_order(tmp_path: Path) -> None:
    images = np.stack([picture(index) for index in range(3)])
    path = made(
        tmp_path / "a.h5",
        attributes={"format": "pgan-toolkit hdf5", "version": 1},
        images=images,
        keys=["c", "a/é", "b"],
        labels=np.array([4, -1, 0]),
    )
    source = open_source(path)
    assert source.format == "hdf5"
    assert [(row.key, row.label) for row in source] == [("c", 4), ("a/é", None), ("b", 0)]
    assert np.array_equal(source[2].image, images[2])


MARK = {"format": "pgan-toolkit hdf5", "version": 1}
GOOD = np.zeros((2, 8, 8, 3), np.uint8)


@pytest.mark.parametrize(
    ("attributes", "datasets", "message"),
    [
        ({}, {"pixels": GOOD}, "unknown layout .*holding pixels"),
        ({}, {}, "holding nothing"),
        ({"format": "pgan-toolkit zarr"}, {"images": GOOD}, "unknown layout"),
        (MARK | {"version": 2}, {"images": GOOD}, "version 2; this program reads version 1"),
        ({"format": MARK["format"]}, {"images": GOOD}, "layout version None"),
        (MARK, {}, "damaged"),
        (MARK, {"images": GOOD.astype(np.float32)}, r"float32 .*; expected uint8 \(N, H, W, 3\)"),
        (MARK, {"images": GOOD[..., 0]}, "expected uint8"),
        (MARK, {"images": GOOD, "keys": ["a"]}, "1 keys for 2 pictures"),
        (MARK, {"images": GOOD, "keys": ["a", "../b"]}, "starts with a dot"),
        (MARK, {"images": GOOD, "keys": ["a", "A"]}, "same key"),
        (MARK, {"images": GOOD, "keys": np.zeros(2)}, "damaged"),
        (MARK, {"images": GOOD, "labels": np.zeros(3, np.int64)}, "3 labels for 2 pictures"),
        (MARK, {"images": GOOD, "labels": np.zeros(2)}, "expected integers"),
        ({"format": "pgan-toolkit hdf5-multires", "version": 1}, {"x": GOOD}, "damaged"),
    ],
)
def test_bad_files_are_refused(
    tmp_path: Path, attributes: dict[str, Any], datasets: dict[str, Any], message: str
) -> None:
    path = made(tmp_path / "a.h5", attributes=attributes, **datasets)
    with pytest.raises(DataError, match=message) as caught:
        open_source(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("keep", [0, 8, 100, 5000])
def test_truncated_files_are_refused(tmp_path: Path, keep: int) -> None:
    path = written(tmp_path / "a.h5", records(), "hdf5")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="damaged or incomplete"):
        open_source(path)


@pytest.mark.parametrize("format_name", HDF5_FORMATS)
def test_bytes_depend_on_the_records_alone(tmp_path: Path, format_name: FormatName) -> None:
    first = written(tmp_path / "a.h5", records(40), format_name)
    second = written(tmp_path / "b.h5", records(40), format_name)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("format_name", HDF5_FORMATS)
def test_pictures_of_two_sizes_are_refused(tmp_path: Path, format_name: FormatName) -> None:
    sink = open_sink(tmp_path / "a.h5", format=format_name)
    sink.write(Record("a", picture(0)))
    with pytest.raises(DataError, match=r"b has 16x16 pixels where .* 8x8"):
        sink.write(Record("b", picture(0, height=16, width=16)))
    sink.discard()
    assert names(tmp_path) == []


@pytest.mark.parametrize(("height", "width"), [(8, 16), (12, 12), (2, 2), (1, 1)])
def test_multires_takes_squares_of_a_power_of_two(tmp_path: Path, height: int, width: int) -> None:
    sink = open_sink(tmp_path / "a.h5", format="hdf5-multires")
    with pytest.raises(DataError, match=f"the pictures have {width}x{height} pixels"):
        sink.write(Record("a", picture(0, height=height, width=width)))
    sink.discard()


def test_plain_takes_any_rectangle(tmp_path: Path) -> None:
    rows = [Record(str(index), picture(index, height=3, width=5)) for index in range(2)]
    source = open_source(written(tmp_path / "a.h5", rows, "hdf5"))
    assert np.array_equal(source[1].image, rows[1].image)
