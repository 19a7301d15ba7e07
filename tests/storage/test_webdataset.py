"""WebDataset shards: what other programs write and read, unsafe names, damaged files."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_sets import picture, records, same, written

from pgan_toolkit.errors import DataError, PganError, UsageError
from pgan_toolkit.imaging import encode_jpeg, encode_png
from pgan_toolkit.storage import Record, guess_format, open_source
from pgan_toolkit.storage.webdataset import WebDatasetSource
from pgan_toolkit.storage.webdataset_sink import ShardsSink

PNG = encode_png(picture(0))


def tar_of(path: Path, *files: tuple[str | tarfile.TarInfo, bytes]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in files:
            member = tarfile.TarInfo(name) if isinstance(name, str) else name
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = target
    return member


def test_the_name_tells_one_file_from_a_folder_of_shards(tmp_path: Path) -> None:
    assert guess_format("a/b.tar") == "webdataset"
    one = written(tmp_path / "one.tar", records(), "webdataset")
    many = written(tmp_path / "many", records(), "webdataset")
    assert one.is_file()
    assert [path.name for path in many.iterdir()] == ["000000.tar"]
    assert same(open_source(one), records())
    assert same(open_source(many), records())


def test_shards_are_of_bounded_size_and_in_order(tmp_path: Path) -> None:
    rows = records(7)
    with ShardsSink(tmp_path / "set", most_shard_bytes=2 * len(PNG) + 50) as sink:
        for row in rows:
            sink.write(row)
    assert len(list((tmp_path / "set").glob("*.tar"))) == 4
    assert same(open_source(tmp_path / "set"), rows)
    pattern = open_source(tmp_path / "set" / "{000000..000003}.tar")
    assert same(pattern, rows)
    assert same(open_source(f"{tmp_path}/set/{{000001..000002}}.tar"), rows[2:6])
    with pytest.raises(DataError, match=r"2 of 6 shards are missing, the first is 000004\.tar"):
        open_source(tmp_path / "set" / "{000000..000005}.tar")
    with pytest.raises(UsageError, match="more than 100,000"):
        open_source(tmp_path / "set" / "{0..9999999999}.tar")


def test_the_same_records_give_the_same_tar(tmp_path: Path) -> None:
    first = written(tmp_path / "a.tar", records(), "webdataset")
    second = written(tmp_path / "b.tar", records(), "webdataset")
    assert first.read_bytes() == second.read_bytes()


def test_a_dot_in_a_key_does_not_become_an_extension(tmp_path: Path) -> None:
    rows = [Record(key, picture(0), 1) for key in ("a%2Eb", "a.b", "c.d/e", "x.png")]
    path = written(tmp_path / "a.tar", rows, "webdataset")
    assert same(open_source(path), rows)
    with tarfile.open(path) as archive:
        names = archive.getnames()
    assert names[:3] == ["a%252Eb.png", "a%252Eb.cls", "a%252Eb.json"]
    assert names[-3:] == ["x%2Epng.png", "x%2Epng.cls", "x%2Epng.json"]
    assert "c.d/e.png" in names


def test_what_samples_of_other_programs_hold(tmp_path: Path) -> None:
    jpeg = encode_jpeg(picture(1), quality=90)
    path = tar_of(
        tmp_path / "a.tar",
        ("./img.0.txt", b"a caption"),
        ("b/0002.JPG", jpeg),
        ("b/0002.json", json.dumps({"label": 7, "caption": "x"}).encode()),
        ("b/0001.png", PNG),
        ("b/0001.cls", b"3\n"),
        ("c.seg.png", encode_png(picture(2))),
        ("c.png", PNG),
        ("d.json", b"[]"),
        (".hidden.png", b""),
        ("README", b""),
    )
    source = open_source(path)
    assert list(source.keys()) == ["b/0002", "b/0001", "c"]
    assert list(source.labels()) == [7, 3, None]
    assert source.encoded(0) == jpeg
    assert source.encoded(2) == PNG
    assert source.info(0).encoding == "JPEG"
    assert source.name(0) == f"{path}: b/0002.JPG"
    assert source.ignored == ("a.tar: README", "a.tar: img.0.txt", "a.tar: d.json")


def test_shards_that_count_from_zero_each_are_kept_apart(tmp_path: Path) -> None:
    for shard in ("00", "01"):
        tar_of(tmp_path / "set" / f"{shard}.tar", ("0.png", PNG), ("1.png", PNG))
    assert list(open_source(tmp_path / "set").keys()) == ["00/0", "00/1", "01/0", "01/1"]


@pytest.mark.parametrize(
    "name", ["../a.png", "/etc/a.png", "b/../../a.png", "a\\b.png", "b//a.png"]
)
def test_unsafe_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"a\.tar: the key .*rename it"):
        open_source(tar_of(tmp_path / "a.tar", (name, PNG)))


def test_an_unsafe_key_in_json_is_refused(tmp_path: Path) -> None:
    described = json.dumps({"pgan_toolkit_key": "../../etc/passwd"}).encode()
    with pytest.raises(DataError, match="starts with a dot"):
        open_source(tar_of(tmp_path / "a.tar", ("a.png", PNG), ("a.json", described)))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_links_and_devices_are_no_pictures(tmp_path: Path, kind: bytes) -> None:
    path = tar_of(
        tmp_path / "a.tar", (special("evil.png", kind, "/etc/passwd"), b""), ("good.png", PNG)
    )
    assert list(open_source(path).keys()) == ["good"]


def test_two_pictures_of_one_sample_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two pictures of one sample"):
        open_source(tar_of(tmp_path / "a.tar", ("a.png", PNG), ("a.jpg", PNG)))
    with pytest.raises(DataError, match="two pictures of one sample"):
        open_source(tar_of(tmp_path / "a.tar", ("a.png", PNG), ("a.png", PNG)))


@pytest.mark.parametrize("text", [b"dog", b"-1", b"1.5", b"", b"9" * 21])
def test_labels_that_are_no_class_index_are_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(DataError, match=r"a\.cls: .* is no class index"):
        open_source(tar_of(tmp_path / "a.tar", ("a.png", PNG), ("a.cls", text)))


def test_a_cut_or_damaged_tar_is_told(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", ("a.png", PNG), ("b.png", PNG), ("c.png", PNG))
    whole = path.read_bytes()
    with tarfile.open(path) as archive:
        second = archive.getmembers()[1]
    for length in (second.offset_data + 10, second.offset, second.offset + 100, 512, 100, 0):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"a\.tar: the tar file is damaged or incomplete"):
            open_source(path)
    damaged = bytearray(whole)
    damaged[second.offset + 150] ^= 1  # within its checksum
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="no header and no end at byte"):
        open_source(path)


def test_a_file_that_shrank_after_it_was_opened_is_told(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", ("a.png", PNG))
    source = open_source(path)
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(DataError, match=r"ends within a\.png"):
        _ = source[0]


def test_a_header_that_states_a_huge_size(tmp_path: Path) -> None:
    for kind in (tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
        member = tarfile.TarInfo("a.png")
        member.type, member.size = kind, 2**60
        header = member.tobuf(tarfile.GNU_FORMAT)
        (tmp_path / "a.tar").write_bytes(header + bytes(4096))
        with pytest.raises(DataError):
            open_source(tmp_path / "a.tar")


@pytest.mark.parametrize("package", [gzip, bz2, lzma])
def test_compressed_shards_say_what_to_do(tmp_path: Path, package: Any) -> None:
    plain = tar_of(tmp_path / "plain.tar", ("a.png", PNG))
    (tmp_path / "a.tar").write_bytes(package.compress(plain.read_bytes()))
    with pytest.raises(DataError, match=r"compressed by .*unpack it to a plain \.tar"):
        open_source(tmp_path / "a.tar")


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, 6000), value=st.binary(min_size=1, max_size=12), cut=st.booleans())
def test_mutated_shards_raise_errors_that_were_foreseen(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: bytes, cut: bool
) -> None:
    path = tar_of(
        tmp_path_factory.mktemp("fuzz") / "a.tar",
        ("a.png", PNG), ("a.cls", b"1"), ("é" * 60 + ".png", PNG), ("a.json", b"{}"),
    )  # fmt: skip
    data = bytearray(path.read_bytes())
    data[place : place + len(value)] = value
    path.write_bytes(data[:place] if cut else data)
    try:
        for record in open_source(path):
            assert record.image.shape[2] == 3
    except PganError:
        pass


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # the package leaves it open
def test_the_webdataset_package_reads_what_is_written(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    path = written(tmp_path / "a.tar", records(), "webdataset")
    got = list(webdataset.WebDataset(str(path), shardshuffle=False))
    assert [sample["__key__"] for sample in got] == [row.key for row in records()]
    assert [int(sample["cls"]) for sample in got if "cls" in sample] == [2, 0, 2]
    decoded = list(webdataset.WebDataset(str(path), shardshuffle=False).decode("rgb8"))
    for sample, row in zip(decoded, records(), strict=True):
        assert np.array_equal(sample["png"], row.image)


def test_what_the_webdataset_package_writes_is_read(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    rows = [Record(f"{index:06d}", picture(index), index) for index in range(7)]
    pattern = f"{tmp_path}/faces-%06d.tar"
    with webdataset.ShardWriter(pattern, maxcount=3, verbose=0) as writer:
        for row in rows:
            writer.write({"__key__": row.key, "png": row.image, "cls": row.label})
    assert same(open_source(tmp_path / "faces-{000000..000002}.tar"), rows)
    assert same(open_source(tmp_path), rows)


@pytest.mark.shared_data
def test_real_pictures_are_read_from_a_tar(shared_data: Path, tmp_path: Path) -> None:
    files = sorted((shared_data / "celeba_wild").rglob("*.jpg"))[:12]
    path = tar_of(tmp_path / "a.tar", *((file.name, file.read_bytes()) for file in files))
    source = WebDatasetSource(path)
    assert [source.encoded(i) for i in range(len(source))] == [f.read_bytes() for f in files]
    assert all(record.image.ndim == 3 for record in source)
