"""Archives that would leave their folder, or unpack to more than there is room for."""

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile_files import GOOD, member, tar_of, zip_of, zip_stating

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage import convert, open_sink, open_source
from pgan_toolkit.storage.verification import check_pictures

UNSAFE = ["../../evil", "/etc/evil", "a/../../evil", "a\\..\\evil", "./../evil", "\x1b[31m"]


@pytest.mark.parametrize("key", UNSAFE)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_member_cannot_leave_its_folder(tmp_path: Path, kind: str, key: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        zip_of(path, (f"{key}.png", GOOD), ("ok.png", GOOD))
    else:
        tar_of(path, (member(f"{key}.png"), GOOD), (member("ok.png"), GOOD))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match=f"a.{kind}: the key .* expected a relative path"):
        convert(open_source(path), open_sink(tmp_path / "out"))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("names", [("a.png", "A.png"), ("a.png", "a.jpg"), ("é.png", "É.png")])
def test_members_that_one_file_system_could_not_tell_apart(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    path = zip_of(tmp_path / "a.zip", *((name, GOOD) for name in names))
    with pytest.raises(DataError, match="have the same key"):
        open_source(path)


def test_links_and_devices_in_a_tar_file_are_passed_over(tmp_path: Path) -> None:
    kinds = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
    links = [(member(f"{n}.png", kind, link="/etc/passwd"), b"") for n, kind in enumerate(kinds)]
    source = open_source(tar_of(tmp_path / "a.tar", *links, (member("ok.png"), GOOD)))
    assert source.keys() == ("ok",)


def test_a_link_in_a_zip_file_is_its_text_and_no_picture(tmp_path: Path) -> None:
    import zipfile

    info = zipfile.ZipInfo("a.png")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match=r"a\.zip: a\.png: not a picture"):
        open_source(tmp_path / "a.zip")[0]


def test_an_archive_in_an_archive_is_not_opened(tmp_path: Path) -> None:
    inner = zip_of(tmp_path / "inner.zip", ("a.png", GOOD)).read_bytes()
    with pytest.raises(DataError, match=r"holds no pictures, but 1 \.zip; open inner\.zip itself"):
        open_source(zip_of(tmp_path / "outer.zip", ("inner.zip", inner)))


@pytest.mark.parametrize(("name", "most"), [("a.png", "536,870,912"), ("dataset.json", "268,435")])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, name: str, most: str) -> None:
    path = zip_stating(tmp_path / "a.zip", name, unpacked=0xFFFFFFF0)
    with pytest.raises(DataError, match=f"a.zip: {name}: states 4,294,967,280 bytes.*{most}"):
        open_source(path)[0]


def test_a_member_that_states_gigabytes_of_packed_bytes(tmp_path: Path) -> None:
    """Found by fuzzing: zipfile makes room for as many as the directory states."""
    path = zip_of(tmp_path / "a.zip", ("a.png", GOOD))
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02") + 20
    data[place : place + 4] = b"\xf0\xff\xff\xff"
    path.write_bytes(bytes(data))
    source = open_source(path)
    for read in (source.info, source.__getitem__):
        with pytest.raises(DataError, match=r"a\.zip: a\.png: states 4,294,967,280 bytes"):
            read(0)


def test_members_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", ("0.png", GOOD), ("1.png", GOOD))
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    data[second + 42 : second + 46] = bytes(4)  # the second entry points at the first member
    path.write_bytes(bytes(data))
    check = check_pictures(open_source(path))
    assert (check.count, list(check.damaged)) == (2, ["1"])


def test_a_member_without_a_name(tmp_path: Path) -> None:
    """Found by fuzzing: zipfile asks for the last character of the name."""
    path = zip_of(tmp_path / "a.zip", ("x.txt", b"x"), ("ok.png", GOOD))
    path.write_bytes(path.read_bytes().replace(b"x.txt", b"\0.txt"))  # a name ends at a zero
    assert open_source(path).keys() == ("ok",)


def _chain(path: Path) -> None:
    """2,000 headers that announce headers: tarfile calls itself for each."""
    longer = member("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    longer.size = 5
    link = longer.tobuf(tarfile.GNU_FORMAT) + b"abcd\0".ljust(512, b"\0")
    info = member("a.png")
    info.size = len(GOOD)
    path.write_bytes(link * 2000 + info.tobuf() + GOOD.ljust(512, b"\0") + bytes(1024))


def _copied(path: Path) -> None:
    """Headers for all members, which tarfile copies for each of them: gigabytes from a megabyte."""
    records = b"".join(b"13 k%05d=v\n" % number for number in range(40_000))
    for_all = member("pax", tarfile.XGLTYPE)
    for_all.size = len(records)
    padded = records.ljust(-(-len(records) // 512) * 512, b"\0")
    info = member("a.png")
    info.size = len(GOOD)
    path.write_bytes(for_all.tobuf() + padded + (info.tobuf() + GOOD.ljust(512, b"\0")) * 2000)


def _long(path: Path) -> None:
    """A header that states terabytes."""
    info = member("pax", tarfile.XHDTYPE)
    info.size = 1 << 40
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))


@pytest.mark.timeout(60)  # without bounds it would take hours
@pytest.mark.parametrize("make", [_chain, _copied, _long])
def test_headers_of_a_tar_file_are_bounded(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "a.tar")
    with pytest.raises(DataError, match=r"a\.tar: the tar file is damaged"):
        open_source(tmp_path / "a.tar")


def test_deep_json_in_a_tar_file(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", (member("a.png"), GOOD), (member("a.json"), b"[" * 100_000))
    with pytest.raises(DataError, match=r"a\.json: not JSON"):
        open_source(path)


def test_a_folder_of_devices_pipes_and_loops_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(GOOD)
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "loop.png").symlink_to("loop.png")
    os.mkfifo(tmp_path / "pipe.png")
    check = check_pictures(open_source(tmp_path))
    assert sorted(check.damaged) == ["loop", "pipe", "zero"]


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(GOOD)
    with (tmp_path / "b.png").open("wb") as file:
        file.truncate(20 << 30)  # takes no room on the disk
    check = check_pictures(open_source(tmp_path))
    assert list(check.damaged) == ["b"]
    assert "at most 536,870,912" in check.damaged["b"]
