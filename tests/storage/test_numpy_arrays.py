"""NumPy arrays: layouts, memory maps, damaged and hostile files."""

import io
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from stored_sets import picture, records, same, written

from pgan_toolkit.errors import DataError, PganError, UsageError
from pgan_toolkit.storage import Record, guess_format, open_sink, open_source
from pgan_toolkit.storage.numpy_arrays import NumpySource


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def saved(path: Path, array: NDArray[np.generic]) -> Path:
    np.save(path, array)
    return path


def test_numpy_reads_what_the_sink_writes(tmp_path: Path) -> None:
    rows = records(5)
    path = written(tmp_path / "set.npz", rows, "numpy")
    with np.load(path, allow_pickle=False) as arrays:
        assert list(arrays) == ["images", "labels", "keys"]
        assert np.array_equal(arrays["images"], [row.image for row in rows])
        assert arrays["labels"].tolist() == [2, -1, 0, 2, -1]
        assert arrays["keys"].tolist() == [row.key for row in rows]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_reads_what_numpy_writes(tmp_path: Path, save: object) -> None:
    images = noise(3, 5, 4, 3)
    save(tmp_path / "a.npz", images=images, labels=np.array([4, -1, 0], np.int8), classes=["x"])
    source = open_source(tmp_path / "a.npz")
    assert source.format == "numpy"
    assert same(
        source,
        [Record(f"00000/img0000000{i}", images[i], label) for i, label in enumerate([4, None, 0])],
    )
    assert source.ignored == ("classes.npy",)
    assert (source.info(1).height, source.info(1).width) == (5, 4)


def test_stored_pictures_are_mapped_and_compressed_ones_are_not(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=noise(3, 5, 4, 3))
    np.savez_compressed(tmp_path / "b.npz", images=noise(3, 5, 4, 3))
    for name, kind in [("a.npz", np.memmap), ("b.npz", np.ndarray)]:
        source = NumpySource(tmp_path / name)
        assert source._loaded is None
        _ = source[0]
        assert type(source._loaded) is kind
        copy = pickle.loads(pickle.dumps(source))
        assert len(pickle.dumps(source)) < 2000
        assert np.array_equal(copy[2].image, noise(3, 5, 4, 3)[2])


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((2, 5, 4, 3), (0, 1, 2, 3)), ((2, 3, 5, 4), (0, 2, 3, 1)), ((2, 5, 6), None)],
)
def test_layouts_are_told_by_the_axis_of_channels(
    tmp_path: Path, shape: tuple[int, ...], axes: tuple[int, ...] | None
) -> None:
    array = noise(*shape)
    source = open_source(saved(tmp_path / "a.npy", array))
    expected = np.stack([array] * 3, axis=-1) if axes is None else array.transpose(axes)
    assert np.array_equal([record.image for record in source], expected)
    assert all(record.image.flags.c_contiguous for record in source)
    assert (source.info(0).height, source.info(0).width) == expected.shape[1:3]


def test_one_channel_is_replicated(tmp_path: Path) -> None:
    array = noise(2, 5, 4, 1)
    source = open_source(saved(tmp_path / "a.npy", array))
    assert np.array_equal(source[1].image, np.repeat(array[1], 3, axis=2))
    source = open_source(saved(tmp_path / "b.npy", array.transpose(0, 3, 1, 2).copy()))
    assert np.array_equal(source[1].image, np.repeat(array[1], 3, axis=2))


def test_an_ambiguous_layout_is_told_by_the_name(tmp_path: Path) -> None:
    array = noise(2, 3, 5, 3)
    with pytest.raises(DataError, match=r"both could be channels.*NAME\.nchw\.npy"):
        open_source(saved(tmp_path / "a.npy", array))
    rows = open_source(saved(tmp_path / "a.nhwc.npy", array))
    assert np.array_equal(rows[0].image, array[0])
    planes = open_source(saved(tmp_path / "a.nchw.npy", array))
    assert np.array_equal(planes[0].image, array[0].transpose(1, 2, 0))
    np.savez(tmp_path / "b.npz", images_nchw=array)
    assert np.array_equal(open_source(tmp_path / "b.npz")[1].image, array[1].transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 4, 5, 3), np.float32), r"float32 .*expected uint8.*np\.rint"),
        (noise(4, 5, 3), r"looks like one picture.*array\[None\]"),
        (noise(4, 5), "no array of pictures"),
        (noise(2, 5, 6, 4), "neither is 3 channels or 1"),
        (noise(2, 0, 6, 3), "expected"),
        (np.array([{"a": 1}], dtype=object), "Python objects, which are never loaded"),
        (np.asfortranarray(noise(2, 4, 5, 3)), "Fortran order"),
        (np.zeros((0, 4, 5, 3), np.uint8), "the file is empty"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, array: NDArray[np.generic], message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_source(saved(tmp_path / "a.npy", array))


def test_arrays_of_which_none_is_called_images(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", faces=noise(2, 4, 5, 3), other=np.zeros(3))
    assert len(open_source(tmp_path / "one.npz")) == 2
    np.savez(tmp_path / "two.npz", faces=noise(2, 4, 5, 3), more=noise(2, 4, 5, 3))
    with pytest.raises(DataError, match=r"several arrays.*faces uint8 \(2, 4, 5, 3\)"):
        open_source(tmp_path / "two.npz")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"labels": np.zeros(3, np.int64)}, r"labels is \(3,\); expected \(2,\)"),
        ({"labels": np.zeros(2)}, "expected integers"),
        ({"labels": np.array([-2, 0])}, "holds -2"),
        ({"keys": np.array(["a", "A"])}, "same key"),
        ({"keys": np.array(["a", "../b"])}, "starts with a dot"),
        ({"keys": np.array([b"a", b"b"])}, "expected texts"),
    ],
)
def test_bad_labels_and_keys_are_refused(
    tmp_path: Path, extra: dict[str, NDArray[np.generic]], message: str
) -> None:
    np.savez(tmp_path / "a.npz", images=noise(2, 4, 5, 3), **extra)
    with pytest.raises(DataError, match=message):
        open_source(tmp_path / "a.npz")


def npy_header(shape: tuple[int, ...], descr: str = "|u1") -> bytes:
    file = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


@pytest.mark.parametrize("descr", ["|u1", "<U0", "|V0"])
def test_a_header_that_promises_a_million_million_pictures(tmp_path: Path, descr: str) -> None:
    data = npy_header((10**12, 8, 8, 3), descr) + bytes(192)
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(DataError, match=r"cut short|without a size"):
        open_source(tmp_path / "a.npy")
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
            archive.writestr("images.npy", data)
        with pytest.raises(DataError, match=r"cut short|without a size"):
            open_source(tmp_path / "a.npz")


def test_an_archive_that_states_more_than_it_can_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, images=noise(2, 4, 5, 3))
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack("<I", 2**31)
    path.write_bytes(data)
    with pytest.raises(DataError, match="more than the file can hold"):
        open_source(path)


def test_a_cut_file_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.npy", noise(2, 4, 5, 3))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="cut short"):
        open_source(path)
    path = tmp_path / "b.npz"
    np.savez(path, images=noise(2, 4, 5, 3))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"b\.npz: the NumPy file is damaged"):
        open_source(path)


def test_a_flipped_bit_in_a_compressed_array_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", npy_header((2, 40, 40, 3)) + noise(9600).tobytes())
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.npz: images: the NumPy file is damaged"):
        _ = open_source(path)[0]


def test_pictures_of_two_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"b has 6x8 pixels.*8x8; an array holds"):
        written(
            tmp_path / "a.npz", [Record("a", picture(0)), Record("b", picture(1, width=6))], "numpy"
        )
    assert not any(tmp_path.iterdir())


def test_the_name_npz_is_written_and_npy_is_not(tmp_path: Path) -> None:
    assert guess_format("a/b.npz") == "numpy"
    with pytest.raises(UsageError, match=r"\.npz"):
        open_sink(tmp_path / "a.npy")


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    first = written(tmp_path / "a.npz", records(), "numpy")
    second = written(tmp_path / "b.npz", records(), "numpy")
    assert first.read_bytes() == second.read_bytes()


@settings(max_examples=150, deadline=None)
@given(
    place=st.integers(0, 4000),
    value=st.binary(min_size=1, max_size=8),
    cut=st.booleans(),
    kind=st.sampled_from(["npy", "npz", "compressed"]),
)
def test_mutated_files_raise_errors_that_were_foreseen(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: bytes, cut: bool, kind: str
) -> None:
    file = io.BytesIO()
    if kind == "npy":
        np.save(file, noise(2, 4, 5, 3))
    else:
        save = np.savez if kind == "npz" else np.savez_compressed
        save(file, images=noise(2, 4, 5, 3), labels=np.array([1, 2]), keys=np.array(["a", "b"]))
    data = bytearray(file.getvalue())
    place %= len(data)
    data[place : place + len(value)] = value
    path = tmp_path_factory.mktemp("fuzz") / "a.npy"
    path.write_bytes(data[:place] if cut else data)
    try:
        for record in open_source(path):
            assert record.image.shape[2] == 3
    except PganError:
        pass


@pytest.mark.shared_data
def test_published_pictures_are_read(shared_data: Path, tmp_path: Path) -> None:
    source = open_source(shared_data / "cifar10_4000.npz")
    with np.load(shared_data / "cifar10_4000.npz") as arrays:
        images, labels = arrays["images"], arrays["labels"]
    assert len(source) == 4000
    for index in (0, 1234, 3999):
        assert np.array_equal(source[index].image, images[index])
        assert source[index].label == labels[index]
