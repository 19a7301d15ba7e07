"""LMDB: what LSUN's layout holds, no lock files, cut files, and the missing package."""

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_sets import picture, records, same, written

from pgan_toolkit.errors import DataError, PganError, SetupError, UsageError
from pgan_toolkit.imaging import encode_jpeg, encode_png
from pgan_toolkit.storage import Record, guess_format, open_sink, open_source
from pgan_toolkit.storage.archives import Archive
from pgan_toolkit.storage.lmdb_pages import list_values

PNG = encode_png(picture(0))


def meta_page(
    *, version: int = 1, page_bytes: int = 4096, flags: int = 0, root: int = 2**64 - 1
) -> bytes:
    """Literal bytes of a meta page: magic, version, page size, the main tree's flags and root."""
    page = bytearray(4096)
    struct.pack_into("<II", page, 16, 0xBEEFC0DE, version)
    struct.pack_into("<I", page, 40, page_bytes)
    struct.pack_into("<H", page, 92, flags)
    struct.pack_into("<Q", page, 128, root)
    return bytes(page)


def leaf_page(end: int, node: int = 4000, *, kind: int = 2, size: int = 0, flags: int = 0) -> bytes:
    """Literal bytes of a page with one node: two parts of a number, flags, bytes of its key."""
    page = bytearray(4096)
    struct.pack_into("<HHH", page, 10, kind, end, node)
    struct.pack_into("<H", page, 16, node)
    struct.pack_into("<HHHH", page, min(node, 4088), size & 0xFFFF, size >> 16, flags, 1)
    struct.pack_into("<Q", page, min(node + 9, 4088), 2**40)
    return bytes(page)


def environment(path: Path, **values: bytes) -> Path:
    lmdb = pytest.importorskip("lmdb")
    with (
        lmdb.open(str(path), map_size=1 << 24, lock=False) as opened,
        opened.begin(write=True) as transaction,
    ):
        for key, value in values.items():
            transaction.put(key.encode(), value)
    return path


def test_without_the_package_writing_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = environment(tmp_path / "set", a=PNG)
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(SetupError, match=r"pip install 'pgan-toolkit\[lmdb\]'") as caught:
        open_sink(tmp_path / "other.lmdb")
    assert caught.value.exit_code == 4
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert same(open_source(path), [Record("a", picture(0))])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty file"),
        (bytes(9000), "it does not begin as one"),
        (meta_page()[:100], "buffer"),
        (meta_page(page_bytes=4095) * 2, "pages of 4,095 bytes"),
        (meta_page(version=2) * 2, "data version 2"),
        (meta_page(flags=4) * 2, "several values a key"),
        (meta_page(root=7) * 2, "page 7 is beyond the end"),
        (meta_page(root=1) * 2, "page 1 is neither branch nor leaf"),
        (meta_page(root=2) * 2 + leaf_page(2**15), "nodes at byte 8,192"),
        (meta_page(root=2) * 2 + leaf_page(18, 4090), "a node outside of its page"),
        (meta_page(root=2) * 2 + leaf_page(18, 4000, size=10**6), "a value beyond the end"),
        (meta_page(root=2) * 2 + leaf_page(18, 4000, flags=1), "a value beyond the end"),
        (meta_page(root=2) * 2 + leaf_page(18, 4000, kind=1, size=2), "page 2 comes twice"),
    ],
)
def test_hostile_pages_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "data.mdb").write_bytes(data)
    for path in (tmp_path, tmp_path / "data.mdb"):
        with pytest.raises(DataError, match=rf"data\.mdb: the LMDB file is damaged.*{message}"):
            open_source(path)


def test_an_environment_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(meta_page() * 2)
    with pytest.raises(DataError, match="the folder is empty"):
        open_source(tmp_path)


def test_the_folder_above_says_which_to_open(tmp_path: Path) -> None:
    (tmp_path / "bedroom_train_lmdb").mkdir()
    (tmp_path / "bedroom_train_lmdb" / "data.mdb").write_bytes(b"")
    with pytest.raises(DataError, match="open the folder bedroom_train_lmdb itself"):
        open_source(tmp_path)


def test_the_name() -> None:
    assert guess_format("a/faces.lmdb") == "lmdb"
    with pytest.raises(UsageError, match=r"is a folder; name it \.lmdb"):
        guess_format("data.mdb")


def test_what_lsun_holds_is_read_and_left_alone(tmp_path: Path) -> None:
    jpeg = encode_jpeg(picture(1), quality=75)
    path = environment(tmp_path / "bedroom", a1b2=jpeg, **{"00ff": PNG, "length": b"2"})
    before = {file.name: file.stat().st_mtime_ns for file in path.iterdir()}
    source = open_source(path)
    assert source.format == "lmdb"
    assert list(source.keys()) == ["00ff", "a1b2"]
    assert list(source.labels()) == [None, None]
    assert source.encoded(1) == jpeg
    assert source.info(1).encoding == "JPEG"
    assert same(open_source(path / "data.mdb"), [source[0], source[1]])
    assert {file.name: file.stat().st_mtime_ns for file in path.iterdir()} == before
    assert "lock.mdb" not in before


def test_what_is_written_is_what_torchvision_lists(tmp_path: Path) -> None:
    lmdb = pytest.importorskip("lmdb")
    path = written(tmp_path / "a.lmdb", records(5), "lmdb")
    assert sorted(file.name for file in path.iterdir()) == ["data.mdb", "dataset.json"]
    with lmdb.open(str(path), readonly=True, lock=False) as opened, opened.begin() as transaction:
        assert transaction.stat()["entries"] == 5
        got = [(bytes(key).decode(), bytes(value)) for key, value in transaction.cursor()]
    assert got == [(row.key, encode_png(row.image)) for row in records(5)]
    assert same(open_source(path), records(5))


def test_many_transactions_and_a_set_without_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("lmdb")
    monkeypatch.setattr("pgan_toolkit.storage.lmdb._BATCH_BYTES", 2 * len(PNG))
    rows = [Record(f"{index:04d}", picture(index)) for index in range(50)]
    path = written(tmp_path / "a.lmdb", rows, "lmdb")
    assert [file.name for file in path.iterdir()] == ["data.mdb"]
    assert same(open_source(path), rows)


def test_two_sources_of_one_environment(tmp_path: Path) -> None:
    path = environment(tmp_path / "set", a=PNG)
    first, second = open_source(path), open_source(path)
    assert same(first, [second[0]])


@pytest.mark.parametrize("key", [b"../a", b"\xff\xfe", b"/a"])
def test_unsafe_keys_are_refused(tmp_path: Path, key: bytes) -> None:
    lmdb = pytest.importorskip("lmdb")
    with (
        lmdb.open(str(tmp_path / "set"), lock=False) as opened,
        opened.begin(write=True) as transaction,
    ):
        transaction.put(key, PNG)
    with pytest.raises(DataError, match="key"):
        open_source(tmp_path / "set")


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    path = environment(tmp_path / "set", a=PNG[:40])
    with pytest.raises(DataError, match="set: a: "):
        _ = open_source(path)[0]


def test_a_key_that_is_too_long_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("lmdb")
    with pytest.raises(DataError, match="602 bytes, and LMDB takes 511"):
        written(tmp_path / "a.lmdb", [Record("/".join(["a" * 200] * 3), picture(0))], "lmdb")
    assert not any(tmp_path.iterdir())


def test_trees_of_several_levels_and_sizes_are_those_of_the_library(tmp_path: Path) -> None:
    lmdb = pytest.importorskip("lmdb")
    rng = np.random.default_rng(0)
    values = {f"{key:08x}".encode(): rng.bytes(int(rng.integers(0, 9000))) for key in
              rng.permutation(3000)}  # fmt: skip
    with lmdb.open(str(tmp_path / "set"), map_size=1 << 28, lock=False, max_dbs=2) as opened:
        for begin in range(0, 3000, 500):
            with opened.begin(write=True) as transaction:
                for key in list(values)[begin : begin + 500]:
                    transaction.put(key, values[key])
        with opened.begin(write=True) as transaction:
            for key in list(values)[::3]:
                transaction.delete(key)
                del values[key]
            opened.open_db(b"named", txn=transaction)
    path = tmp_path / "set" / "data.mdb"
    data = path.read_bytes()
    got = {
        found.key: data[found.offset : found.offset + found.size]
        for found in list_values(Archive(path))
    }
    assert list(got) == sorted(values)
    assert got == values


@settings(max_examples=200, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 2**16), st.binary(min_size=1, max_size=8)),
                        min_size=1, max_size=4), cut=st.booleans())  # fmt: skip
def test_mutated_files_raise_errors_that_were_foreseen(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, bytes]], cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    path = environment(folder / "set", **{f"k{i:03d}": PNG for i in range(60)}) / "data.mdb"
    data = bytearray(path.read_bytes())
    for number, value in changes:
        place = number % len(data)
        data[place : place + len(value)] = value
    path.write_bytes(data[: changes[0][0] % len(data)] if cut else data)
    try:
        for record in open_source(path):
            assert record.image.shape[2] == 3
    except PganError:
        pass


@pytest.mark.shared_data
def test_real_photographs_are_read(shared_data: Path, tmp_path: Path) -> None:
    files = sorted((shared_data / "celeba_wild").rglob("*.jpg"))[:12]
    path = environment(tmp_path / "wild", **{file.stem: file.read_bytes() for file in files})
    source = open_source(path)
    assert [source.encoded(i) for i in range(len(source))] == [f.read_bytes() for f in files]
