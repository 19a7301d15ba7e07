"""LMDB: what LSUN's layout holds, no lock files, cut files, and the missing package."""

import struct
import sys
from pathlib import Path

import pytest
from stored_sets import picture, records, same, written

from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.imaging import encode_jpeg, encode_png
from pgan_toolkit.storage import Record, guess_format, open_sink, open_source

PNG = encode_png(picture(0))


def meta_page(*, magic: int = 0xBEEFC0DE, version: int = 1, last_page: int = 1) -> bytes:
    page = struct.pack("<16xII16xI92xQ", magic, version, 4096, last_page)
    return page.ljust(4096, b"\0")


def environment(path: Path, **values: bytes) -> Path:
    lmdb = pytest.importorskip("lmdb")
    with (
        lmdb.open(str(path), map_size=1 << 24, lock=False) as opened,
        opened.begin(write=True) as transaction,
    ):
        for key, value in values.items():
            transaction.put(key.encode(), value)
    return path


def test_without_the_package_the_error_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lmdb", None)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "data.mdb").write_bytes(meta_page() + meta_page())
    with pytest.raises(SetupError, match=r"pip install 'pgan-toolkit\[lmdb\]'") as caught:
        open_source(tmp_path / "set")
    assert caught.value.exit_code == 4
    with pytest.raises(SetupError, match=r"pip install 'pgan-toolkit\[lmdb\]'"):
        open_sink(tmp_path / "other.lmdb")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an LMDB environment"),
        (meta_page()[:100], "it is damaged or incomplete"),
        (meta_page(magic=1) * 2, "not an LMDB environment"),
        (meta_page() + meta_page(last_page=100), "names 101 pages of 4,096; it is damaged"),
        (meta_page(last_page=2**63) * 2, "it is damaged or incomplete"),
    ],
)
def test_a_cut_file_is_refused_before_the_library_maps_it(
    tmp_path: Path, data: bytes, message: str
) -> None:
    (tmp_path / "data.mdb").write_bytes(data)
    for path in (tmp_path, tmp_path / "data.mdb"):
        with pytest.raises(DataError, match=rf"data\.mdb: .*{message}"):
            open_source(path)


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


def test_a_folder_of_other_things_is_not_replaced_by_lmdb(tmp_path: Path) -> None:
    pytest.importorskip("lmdb")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "thesis.tex").write_text("")
    with pytest.raises(UsageError, match=r"thesis\.tex"):
        open_sink(tmp_path / "set", format="lmdb", overwrite=True)
