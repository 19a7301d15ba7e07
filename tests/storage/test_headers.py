"""Headers are read without the rest of the file, and say what the whole file says."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import PIL.features
import PIL.Image
import pytest

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage import PictureInfo, open_source
from pgan_toolkit.storage.headers import header_of, read_header

SHAPE = (200, 300)  # of noise: 180,000 bytes in most formats
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "png": ("PNG", "RGB", {}),
    "palette.png": ("PNG", "P", {}),
    "sixteen.png": ("PNG", "I;16", {}),
    "profile.png": ("PNG", "RGB", {"icc_profile": bytes(range(256)) * 2000}),
    "jpg": ("JPEG", "RGB", {"quality": 100, "subsampling": 0}),
    "progressive.jpg": ("JPEG", "CMYK", {"quality": 100, "progressive": True}),
    "profile.jpg": ("JPEG", "L", {"quality": 100, "icc_profile": bytes(200_000)}),
    "bmp": ("BMP", "RGB", {}),
    "ppm": ("PPM", "RGB", {}),
    "pgm": ("PPM", "L", {}),
    "tif": ("TIFF", "RGB", {}),
    "packed.tif": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "webp": ("WEBP", "RGB", {"lossless": True}),
    "lossy.webp": ("WEBP", "RGBA", {"quality": 100}),
    "gif.png": ("GIF", "P", {}),
    "pages.tif": ("TIFF", "L", {"save_all": True}),
    "pictures.jpg": ("MPO", "RGB", {"save_all": True, "quality": 100}),
}  # fmt: skip
if PIL.features.check("avif"):
    KINDS["avif"] = ("AVIF", "RGB", {"quality": 100})


def encoded(name: str) -> bytes:
    kind, mode, options = KINDS[name]
    values = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), np.uint8)
    picture = PIL.Image.fromarray(values).convert("L" if mode == "I;16" else mode)
    buffer = io.BytesIO()
    if "save_all" in options:
        options = {**options, "append_images": [PIL.Image.new("L", (7, 5))]}
    (picture.convert("I;16") if mode == "I;16" else picture).save(buffer, kind, **options)
    return buffer.getvalue()


def outcome(path: Path) -> PictureInfo | str:
    """What is known of a set's only picture, or the error without the place."""
    source = open_source(path)
    try:
        return source.info(0)
    except DataError as error:
        return str(error).removeprefix(source.name(0))


def expected(data: bytes) -> PictureInfo | str:
    """The same from the whole file."""
    try:
        height, width, encoding = header_of(data, name="")
    except DataError as error:
        return str(error)
    return PictureInfo(height, width, len(data), encoding)


def put(folder: Path, name: str, data: bytes) -> tuple[Path, Path]:
    """Write a set of one picture as a folder and as a zip file."""
    (folder / "set").mkdir(exist_ok=True)
    (folder / "set" / f"a.{name.rpartition('.')[2]}").write_bytes(data)
    with zipfile.ZipFile(folder / "set.zip", "w") as archive:
        archive.writestr(f"a.{name.rpartition('.')[2]}", data)
    return folder / "set", folder / "set.zip"


@pytest.mark.parametrize("name", KINDS)
def test_a_header_says_what_the_whole_file_says(tmp_path: Path, name: str) -> None:
    data = encoded(name)
    assert len(data) > 50_000
    whole = expected(data)
    assert isinstance(whole, PictureInfo)
    assert (whole.height, whole.width) == SHAPE
    for place in put(tmp_path, name, data):
        assert outcome(place) == whole


@pytest.mark.parametrize("name", KINDS)
def test_a_truncated_file_gives_what_it_gave_when_read_whole(tmp_path: Path, name: str) -> None:
    data = encoded(name)
    for keep in (0, 1, 10, 30, 100, 700, 5_000, 65_535, 65_536, 70_000, len(data) - 1):
        for place in put(tmp_path, name, data[:keep]):
            assert outcome(place) == expected(data[:keep]), keep


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_header_gives_what_it_gave_when_read_whole(tmp_path: Path, name: str) -> None:
    random = np.random.default_rng(1)
    good = encoded(name)
    for place in random.integers(0, 200, 12):
        data = bytearray(good)
        data[place] ^= 1 << int(random.integers(8))
        for made in put(tmp_path, name, bytes(data)):
            assert outcome(made) == expected(bytes(data)), place


@pytest.mark.parametrize("name", ["png", "jpg", "bmp", "ppm", "tif"])
def test_no_more_than_the_header_is_read(name: str) -> None:
    file = _Counting(encoded(name))

    def reading() -> bytes:
        raise AssertionError("read whole")

    assert read_header(lambda: file, reading, name="a")[:2] == SHAPE
    assert file.taken < 2000


class _Counting(io.BytesIO):
    """Counts the bytes that were read."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


def test_what_cannot_be_opened_or_read_is_named_as_before(tmp_path: Path) -> None:
    folder, archive = put(tmp_path, "png", encoded("png"))
    source = open_source(folder)
    (folder / "a.png").unlink()
    with pytest.raises(DataError, match=r"a\.png: cannot be read \(No such file"):
        source.info(0)
    (folder / "a.png").mkdir()
    with pytest.raises(DataError, match=r"a\.png: not a file"):
        source.info(0)
    data = bytearray(archive.read_bytes())
    data[0] ^= 1  # of the member's own header
    archive.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.png: damaged in the zip file \(Bad magic"):
        open_source(archive).info(0)


def test_a_flipped_bit_in_a_zips_header_or_small_member_is_found(tmp_path: Path) -> None:
    small = io.BytesIO()
    PIL.Image.new("RGB", (8, 8)).save(small, "PNG")
    for data in (small.getvalue(), encoded("png")):
        _, archive = put(tmp_path, "png", data)
        stored = bytearray(archive.read_bytes())
        stored[stored.index(b"IHDR") + 5] ^= 1
        archive.write_bytes(stored)
        with pytest.raises(DataError, match=r"damaged in the zip file \(Bad CRC"):
            open_source(archive).info(0)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "place", ["faces_1024", "celeba_hq_samples", "celeba_wild/img_celeba", "photos_test"]
)
def test_real_pictures_headers_say_what_their_files_say(shared_data: Path, place: str) -> None:
    source = open_source(shared_data / place)
    for index in range(min(len(source), 100)):
        assert source.info(index) == expected(source.encoded(index) or b"")
