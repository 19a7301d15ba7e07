"""Folders and zip files; the readers are fed files that Pillow and zipfile made, not our sinks."""

import errno
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from stored_sets import names, picture, records, same, written

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage import Record, open_sink, open_source

EMPTY_ZIP = b"PK\x05\x06" + bytes(18)


def encoded(seed: int, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(picture(seed)).save(buffer, kind, **options)
    return buffer.getvalue()


def fill(place: Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder, or into a zip file if the place is called so."""
    if place.suffix == ".zip":
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        for name, data in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(data)
    return place


@pytest.fixture(params=["set", "set.zip"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def test_stored_files_are_given_as_they_are(place: Path) -> None:
    files = {"a.webp": encoded(1, "WEBP", lossless=True), "b/2.PNG": b"no picture"}
    source = open_source(fill(place, files))
    assert [source.encoded(index) for index in range(2)] == list(files.values())
    assert source.encoded(-1) == b"no picture"
    between = ": " if place.suffix == ".zip" else "/"
    assert [source.name(index) for index in range(2)] == [f"{place}{between}{n}" for n in files]
    with pytest.raises(IndexError):
        source.encoded(2)


def test_a_file_that_has_gone_is_named(tmp_path: Path) -> None:
    source = open_source(fill(tmp_path / "set", {"a.png": encoded(0)}))
    (tmp_path / "set" / "a.png").unlink()
    with pytest.raises(DataError, match=r"a\.png: cannot be read"):
        source.encoded(0)


def test_pictures_of_other_programs_are_read(place: Path) -> None:
    labels = b'{"labels": [["b/2.PNG", 7], ["gone.png", 1]]}'
    files = {
        "b/2.PNG": encoded(2),
        "a.webp": encoded(1, "WEBP", lossless=True),
        "c/d/e.bmp": encoded(3, "BMP"),
        "dataset.json": labels,
        "notes.txt": b"hello",
        ".trash/x.png": b"",
        "._a.png": b"",
    }
    source = open_source(fill(place, files))
    assert list(source.keys()) == ["a", "b/2", "c/d/e"]
    assert source.labels() == (None, 7, None)
    assert source.ignored == ("notes.txt",)
    for row, seed in zip(source, (1, 2, 3), strict=True):
        assert np.array_equal(row.image, picture(seed))


def test_exif_orientation_is_applied(place: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    PIL.Image.fromarray(picture(0, height=4, width=6)).save(buffer, "PNG", exif=exif)
    source = open_source(fill(place, {"a.png": buffer.getvalue()}))
    assert np.array_equal(source[0].image, np.rot90(picture(0, height=4, width=6), -1))


def test_indices_work_as_in_a_list(place: Path) -> None:
    source = open_source(fill(place, {"a.png": encoded(0), "b.png": encoded(1)}))
    assert source[-1].key == "b"
    assert len(source) == 2
    with pytest.raises(IndexError):
        source[2]


def test_a_damaged_picture_is_named_and_the_others_still_open(place: Path) -> None:
    good = encoded(0)
    source = open_source(fill(place, {"a.png": good[:60], "b.png": good}))
    with pytest.raises(DataError, match=r"a\.png"):
        source[0]
    assert np.array_equal(source[1].image, picture(0))


def test_same_stem_is_refused(place: Path) -> None:
    fill(place, {"a.png": encoded(0), "a.jpg": encoded(0, "JPEG")})
    with pytest.raises(DataError, match=r"'a\.jpg' and 'a\.png'"):
        open_source(place)


def test_damaged_labels_are_refused(place: Path) -> None:
    fill(place, {"a.png": encoded(0), "dataset.json": b'{"labels": 3}'})
    with pytest.raises(DataError, match=r"dataset\.json"):
        open_source(place)


def test_a_file_that_vanished_is_named(tmp_path: Path) -> None:
    source = open_source(fill(tmp_path / "set", {"a.png": encoded(0)}))
    (tmp_path / "set" / "a.png").unlink()
    with pytest.raises(DataError, match=r"a\.png: cannot be read"):
        source[0]


def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, {"a.png": encoded(0), "locked/b.png": encoded(1)})
    real = os.scandir

    def refusing(path: str) -> Any:  # the superuser's tests cannot lock a folder
        if str(path).endswith("locked"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(DataError, match=r"locked: the folder cannot be read \(Permission denied"):
        open_source(tmp_path)


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere", {"a.png": encoded(0)})
    fill(tmp_path / "set", {"b.png": encoded(1)})
    (tmp_path / "set" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "set")
    assert list(open_source(tmp_path / "set").keys()) == ["b", "more/a"]


def test_zip_layout_is_literal(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    png = encoded(5)
    with open_sink(path) as sink:
        sink.write_encoded("00000/img00000000", png, 3)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        assert [member.filename for member in members] == ["00000/img00000000.png", "dataset.json"]
        assert {member.compress_type for member in members} == {zipfile.ZIP_STORED}
        assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.read(members[0]) == png
        assert archive.read("dataset.json") == b'{"labels": [["00000/img00000000.png", 3]]}'
    # The first local header: signature, version 20, flags 0, stored, time 0, date 1980-01-01.
    header = b"PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00\x21\x00"
    data = path.read_bytes()
    assert data.startswith(header)
    assert data[30:51] == b"00000/img00000000.png"
    assert data[51 : 51 + len(png)] == png


def test_folder_layout_is_literal(tmp_path: Path) -> None:
    png = encoded(5)
    with open_sink(tmp_path / "set") as sink:
        sink.write_encoded("f/a", png)
        sink.write(Record("b", picture(1), 4))
    assert names(tmp_path / "set") == ["b.png", "dataset.json", "f"]
    assert (tmp_path / "set" / "f" / "a.png").read_bytes() == png
    assert (tmp_path / "set" / "dataset.json").read_bytes() == b'{"labels": [["b.png", 4]]}'
    with PIL.Image.open(tmp_path / "set" / "b.png") as opened:
        assert opened.mode == "RGB"
        assert np.array_equal(np.asarray(opened), picture(1))


def test_zip_bytes_depend_on_the_records_alone(tmp_path: Path) -> None:
    first = written(tmp_path / "a.zip", records(), "zip")
    second = written(tmp_path / "b.zip", records(), "zip")
    assert first.read_bytes() == second.read_bytes()


def test_unlabelled_sets_say_null(tmp_path: Path) -> None:
    with open_sink(tmp_path / "set") as sink:
        sink.write(Record("a", picture(0)))
    assert json.loads((tmp_path / "set" / "dataset.json").read_text()) == {"labels": None}


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_zip_is_refused(tmp_path: Path, keep: float) -> None:
    path = written(tmp_path / "set.zip", records(), "zip")
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(DataError, match=r"set\.zip: the zip file is damaged or incomplete"):
        open_source(path)


def test_a_flipped_bit_in_a_zip_is_found(tmp_path: Path) -> None:
    path = written(tmp_path / "set.zip", records(), "zip")
    data = bytearray(path.read_bytes())
    data[120] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"00\.png: damaged in the zip file \(Bad CRC"):
        open_source(path)[0]


def test_an_empty_zip_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(EMPTY_ZIP)
    with pytest.raises(DataError, match="is empty"):
        open_source(tmp_path / "set.zip")


def test_a_key_below_another_keys_file_is_refused(tmp_path: Path) -> None:
    sink = open_sink(tmp_path / "set")
    sink.write_encoded("a", encoded(0))
    with pytest.raises(DataError, match="needs a folder where another key has its file"):
        sink.write_encoded("a.png/b", encoded(0))
    sink.discard()
    assert names(tmp_path) == []


def test_round_trip(place: Path) -> None:
    with open_sink(place) as sink:
        for row in reversed(records()):
            sink.write(row)
    assert same(open_source(place), records())
