"""What pictures are, byte for byte, in every format."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from pgan_toolkit.digests import pixel_digest
from pgan_toolkit.errors import DataError
from pgan_toolkit.evaluation.content import Identity, PictureReader, set_digest
from pgan_toolkit.imaging import encode_jpeg, encode_png
from pgan_toolkit.storage import Record, open_sink, open_source


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (8, 6, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "set"
    (place / "sub").mkdir(parents=True)
    (place / "a.png").write_bytes(encode_png(picture(0)))
    (place / "sub" / "b.jpg").write_bytes(encode_jpeg(picture(1), quality=80))
    (place / "note.txt").write_text("no picture")
    return place


def test_a_folders_pictures_are_known_by_the_digests_of_their_files(folder: Path) -> None:
    reader = PictureReader(open_source(folder))
    files = [folder / "a.png", folder / "sub" / "b.jpg"]
    expected = [
        Identity(hashlib.sha256(file.read_bytes()).hexdigest(), encoding)
        for file, encoding in zip(files, ("PNG", "JPEG"), strict=True)
    ]
    assert [reader.identify(index) for index in range(2)] == expected
    assert [reader.read(index)[1] for index in range(2)] == expected
    assert [reader.name(index) for index in range(2)] == [str(file) for file in files]


@pytest.mark.parametrize("name", ["set.zip", "set.h5"])
def test_what_is_read_is_what_the_source_reads(tmp_path: Path, name: str) -> None:
    with open_sink(tmp_path / name) as sink:
        for number in range(3):
            sink.write(Record(f"k{number}", picture(number)))
    source = open_source(tmp_path / name)
    reader = PictureReader(source)
    for index, record in enumerate(source):
        image, identity = reader.read(index)
        assert np.array_equal(image, record.image)
        assert reader.identify(index) == identity
        assert f"k{index}" in reader.name(index)
    expected = encode_png(picture(1)) if name == "set.zip" else None
    digest = hashlib.sha256(expected).hexdigest() if expected else pixel_digest(picture(1))
    assert reader.identify(1).digest == digest


def test_any_source_of_records_will_do() -> None:
    class Pair:
        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> Record:
            return Record("ab"[index], picture(index))

        def __iter__(self) -> Iterator[Record]:
            return (self[index] for index in range(2))

        def keys(self) -> Sequence[str]:
            return ("a", "b")

    reader = PictureReader(Pair())
    assert reader.identify(1) == Identity(pixel_digest(picture(1)), "pixels")
    assert reader.name(1) == "b"


def test_a_set_is_known_by_its_pictures_and_their_order() -> None:
    one, two = Identity("0a" * 32, "PNG"), Identity("0b" * 32, "PNG")
    assert set_digest([one, two]) == hashlib.sha256(b"\x0a" * 32 + b"\x0b" * 32).hexdigest()
    assert set_digest([one, two]) != set_digest([two, one])


def test_a_damaged_member_of_a_zip_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "set.zip"
    with open_sink(path) as sink:
        for number in range(3):
            sink.write(Record(f"k{number}", picture(number)))
    data = bytearray(path.read_bytes())
    data[data.index(encode_png(picture(1))) + 70] ^= 1
    path.write_bytes(data)
    reader = PictureReader(open_source(path))
    reader.identify(0)
    for read in (reader.identify, reader.read):
        with pytest.raises(DataError, match=r"set\.zip: k1\.png: damaged in the zip file"):
            read(1)


def test_a_file_that_has_gone_is_named(folder: Path) -> None:
    reader = PictureReader(open_source(folder))
    (folder / "a.png").unlink()
    with pytest.raises(DataError, match=r"a\.png: cannot be read"):
        reader.identify(0)


def test_pictures_that_come_later_do_not_move_the_others(folder: Path) -> None:
    reader = PictureReader(open_source(folder))
    before = [reader.identify(index) for index in range(2)]
    (folder / "0.png").write_bytes(encode_png(picture(9)))
    assert [reader.identify(index) for index in range(2)] == before
