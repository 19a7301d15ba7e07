"""Arrays that state sizes which nobody could hold, or lie in other people's files."""

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hostile_files import npy
from safetensors.torch import save

from pgan_toolkit.errors import DataError
from pgan_toolkit.evaluation.statistics_files import read_statistics
from pgan_toolkit.evaluation.weight_files import PublicFile, read_tensors
from pgan_toolkit.runs import CheckpointKind, read_state
from pgan_toolkit.storage import open_source

PICTURES = np.full((2, 16, 16, 3), 7, np.uint8)


def _secret(path: Path) -> Path:
    """Another file of the reader's, which a data set has no business with."""
    secret = path.with_name("secret.bin")
    secret.write_bytes(b"SECRET" * 256)
    return secret


def _other(path: Path) -> Path:
    other = path.with_name("other.h5")
    with h5py.File(other, "w") as file:
        file["images"] = PICTURES
    return other


def _stored_outside(file: h5py.File, path: Path) -> None:
    file.create_dataset(
        "images", shape=(2, 16, 16, 3), dtype="u1", external=[(str(_secret(path)), 0, 1536)]
    )


def _linked(file: h5py.File, path: Path) -> None:
    file["images"] = h5py.ExternalLink(str(_other(path)), "/images")


def _linked_through_a_group(file: h5py.File, path: Path) -> None:
    file["group"] = h5py.ExternalLink(str(_other(path)), "/")
    file["images"] = h5py.SoftLink("/group/images")


def _virtual(file: h5py.File, path: Path) -> None:
    layout = h5py.VirtualLayout((2, 16, 16, 3), "u1")
    layout[:] = h5py.VirtualSource(str(_other(path)), "images", shape=(2, 16, 16, 3))
    file.create_virtual_dataset("images", layout)


def _keys_outside(file: h5py.File, path: Path) -> None:
    file["images"] = PICTURES
    file["labels"] = h5py.ExternalLink(str(_other(path)), "/images")


def _stating(**about: object) -> Callable[[h5py.File, Path], None]:
    return lambda file, _: file.create_dataset("images", dtype="u1", **about)


def _column(name: str, kind: object) -> Callable[[h5py.File, Path], None]:
    def make(file: h5py.File, _: Path) -> None:
        file["images"] = PICTURES
        file.create_dataset(name, shape=(10**10,), dtype=kind, chunks=(1000,))

    return make


def _packed(file: h5py.File, _: Path) -> None:
    shape = (600, 1024, 1024, 3)
    file.create_dataset(
        "images", shape=shape, dtype="u1", chunks=(100, *shape[1:]), compression="gzip"
    )


def _deflated_without_level(file: h5py.File, _: Path) -> None:
    """h5py looks for the level of deflate where there is none."""
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    how.set_chunk((1, 8, 8, 3))
    how.set_filter(h5py.h5z.FILTER_DEFLATE, h5py.h5z.FLAG_OPTIONAL, ())
    space = h5py.h5s.create_simple(PICTURES.shape)
    h5py.h5d.create(file.id, b"images", h5py.h5t.NATIVE_UINT8, space, how)


HDF5 = {
    "external storage": (_stored_outside, "lies in another file"),
    "external link": (_linked, "lies in another file"),
    "soft link to an external one": (_linked_through_a_group, "lies in another file"),
    "virtual": (_virtual, "lies in another file"),
    "labels elsewhere": (_keys_outside, "lies in another file"),
    "pictures": (_stating(shape=(10**9, 64, 64, 3), chunks=(1, 64, 64, 3)), "more than the 0"),
    "one picture": (_stating(shape=(1, 60000, 60000, 3), chunks=(1, 9, 9, 3)), "100 megapixels"),
    "chunks": (_stating(shape=(90, 4000, 4000, 3), chunks=(80, 4000, 4000, 3)), "3,840,000,000"),
    "packed chunks": (_packed, "in chunks of 314,572,800 bytes"),
    "keys": (_column("keys", h5py.string_dtype()), "10000000000 keys for 2 pictures"),
    "labels": (_column("labels", "i8"), "10000000000 labels for 2 pictures"),
    "a group": (lambda file, _: file.create_group("images"), "no array"),
    "a link to itself": (
        lambda file, _: file.__setitem__("images", h5py.SoftLink("/images")),
        "damaged",
    ),
    "no data": (lambda file, _: file.create_dataset("images", dtype=h5py.Empty("u1")), "damaged"),
    "a filter without its level": (_deflated_without_level, "damaged"),
}


@pytest.mark.parametrize("name", HDF5)
def test_hdf5(tmp_path: Path, name: str) -> None:
    make, message = HDF5[name]
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs["format"], file.attrs["version"] = "pgan-toolkit hdf5", 1
        make(file, path)
    with pytest.raises(DataError, match=rf"a\.h5: .*{message}"):
        open_source(path)


def test_hdf5_attributes_of_which_the_library_dies_are_not_read(tmp_path: Path) -> None:
    """Found by fuzzing: a sequence of variable length, whose elements' type may be damaged."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["images"] = PICTURES
        sequence = np.empty((), object)
        sequence[()] = np.frombuffer(b"pgan", np.uint8)
        file.attrs.create("format", sequence, dtype=h5py.vlen_dtype(np.uint8))
    with pytest.raises(DataError, match=r"a\.h5: .*'format' is neither a text nor an integer"):
        open_source(path)


def test_hdf5_heaps_at_which_the_library_never_ends(tmp_path: Path) -> None:
    """Found by fuzzing: free space of 0 bytes is stepped over without moving."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs["format"], file.attrs["version"] = "pgan-toolkit hdf5", 1
        file["images"] = PICTURES
    data = bytearray(path.read_bytes())
    free = data.index(b"GCOL") + 16 + 16 + 24  # after the heap's header, one text and its own
    assert data[free : free + 2] == b"\0\0"
    assert int.from_bytes(data[free + 8 : free + 16], "little") > 0
    assert len(open_source(path)) == 2
    # None; less than there is, so that zeros follow; a text whose length wraps to no step.
    for number, length in ((0, 0), (0, 0x480), (3, 2**64 - 16)):
        data[free : free + 16] = struct.pack("<H6xQ", number, length)
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"a\.h5: .*a heap without an end at byte"):
            open_source(path)


@pytest.mark.parametrize(
    "data",
    [
        npy((10**15, 64, 64, 3)),
        npy((3, 2**40, 2**40, 3)),
        npy((-1, 8, 8, 3)),
        npy((3,), kind="|O"),
        npy((10**12, 0, 0, 3)),
        npy((3, 8, 8, 3), kind=",u1"),
        npy("(" * 3000),
        npy("-" * 9000 + "1"),
    ],
    ids=["long", "wide", "negative", "objects", "empty", "no type", "deep", "deep signs"],
)
def test_npy(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(DataError, match=r"a\.npy"):
        open_source(tmp_path / "a.npy")


def _npz(path: Path, **arrays: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in arrays.items():
            archive.writestr(f"{name}.npy", data)
    return path


def test_a_packed_array_that_states_more_than_there_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.npz: images: the header states"):
        open_source(_npz(tmp_path / "a.npz", images=npy((10**9, 64, 64, 3))))


@pytest.mark.parametrize(
    ("mean", "message"),
    [
        (npy((1 << 45,), kind="<f8"), "more than|states"),
        (npy((1,), kind="|O", data=b"\x80\x04N."), "could run code"),
    ],
)
def test_statistics(tmp_path: Path, mean: bytes, message: str) -> None:
    covariance = npy((1, 1), kind="<f8", data=bytes(8))
    with pytest.raises(DataError, match=rf"a\.npz: .*({message})"):
        read_statistics(_npz(tmp_path / "a.npz", mu=mean, sigma=covariance))


def _weights(path: Path) -> object:
    return read_tensors(path, expected=PublicFile("a", 1, "0" * 64, "https://a"), own=True)


class _Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, ("open('/proc/self/comm', 'w').write('owned') and {}",)


def test_a_pickle_in_a_weight_file_is_not_run(tmp_path: Path) -> None:
    torch.save({"a": _Runs()}, tmp_path / "a.pth")
    with pytest.raises(DataError, match="Python objects, which are not loaded"):
        _weights(tmp_path / "a.pth")
    assert Path("/proc/self/comm").read_text().strip() != "owned"


@pytest.mark.parametrize(
    "value",
    [torch.zeros(1).expand(1 << 34), torch.empty(1 << 40, device="meta")],
    ids=["a view", "nothing"],
)
def test_a_tensor_that_is_larger_than_its_file_is_not_filled_in(
    tmp_path: Path, value: torch.Tensor
) -> None:
    torch.save({"a": value}, tmp_path / "a.pth")
    with pytest.raises(DataError, match="more than tensors"):
        _weights(tmp_path / "a.pth")


def test_a_packed_weight_file_is_not_unpacked(tmp_path: Path) -> None:
    plain = io.BytesIO()
    torch.save({"a": torch.zeros(10_000)}, plain)
    with (
        zipfile.ZipFile(plain) as archive,
        zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in archive.namelist():
            packed.writestr(name, archive.read(name))
    with pytest.raises(DataError, match=r"a\.pth: damaged, or not a weight file"):
        _weights(tmp_path / "a.pth")


@pytest.mark.parametrize("data", [b"\x80\x02X\x01\x00", b"\x80\x82}.", b"\x80\x02", b"PK\x03\x04"])
def test_a_damaged_pickle(tmp_path: Path, data: bytes) -> None:
    """Found by fuzzing: torch fails in many ways, and warns of odd protocols."""
    (tmp_path / "a.pth").write_bytes(data)
    with pytest.raises(DataError, match=r"a\.pth: (damaged|holds)"):
        _weights(tmp_path / "a.pth")


def _safetensors(header: bytes, *, length: int | None = None) -> bytes:
    return (len(header) if length is None else length).to_bytes(8, "little") + header


@pytest.mark.parametrize(
    "data",
    [
        _safetensors(b"{}", length=1 << 62),
        _safetensors(b"[" * 100_000),
        _safetensors(
            json.dumps(
                {"a": {"dtype": "F32", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 0]}}
            ).encode()
        ),
    ],
    ids=["length", "deep", "shape"],
)
def test_a_safetensors_header(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.safetensors").write_bytes(data)
    with pytest.raises(DataError, match=r"a\.safetensors: damaged"):
        _weights(tmp_path / "a.safetensors")


@pytest.mark.parametrize("text", ["[" * 100_000, "[1, 2]", "{", '"a"'])
def test_the_description_of_a_checkpoint(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(save({"a": torch.zeros(1)}, metadata={"pgan-toolkit": text}))
    with pytest.raises(DataError, match=r"a\.safetensors: the checkpoint cannot be read"):
        read_state(path, kind=CheckpointKind("a", 1))
