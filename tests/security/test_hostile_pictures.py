"""Pictures that state large sizes, unpack to large parts, or are programs."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hostile_files import chunk, png

from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import decode_image, image_size
from pgan_toolkit.storage import open_source
from pgan_toolkit.storage.inspection import inspect

BOMB = zlib.compress(bytes(64 << 20), 9)


def _jpeg(width: int, height: int) -> bytes:
    out = io.BytesIO()
    PIL.Image.new("RGB", (16, 16)).save(out, "JPEG")
    data = bytearray(out.getvalue())
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def _webp(width: int, height: int) -> bytes:
    """A canvas of some size with one frame of a pixel."""
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    frame = bytes(12) + b"\1\0\0\0" + b"VP8L" + struct.pack("<I", 6) + b"\x2f\0\0\0\0\0"
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\2\0\0\0" + size
    body += b"ANIM" + struct.pack("<I", 6) + bytes(6)
    body += b"ANMF" + struct.pack("<I", len(frame)) + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    "data",
    [png(50_000, 50_000), png(16_000, 16_000), _jpeg(65_500, 65_500), _webp(16_383, 16_383)],
    ids=["png", "png-16k", "jpeg", "webp"],
)
def test_a_large_size_is_refused_from_the_header(data: bytes) -> None:
    assert len(data) < 1024
    with pytest.raises(DataError, match=r"^a: .*limit of 100 megapixels"):
        decode_image(data, name="a")


def test_a_size_that_is_told_without_decoding_is_bounded_too() -> None:
    with pytest.raises(DataError, match="limit of 179 megapixels; scale"):
        image_size(png(50_000, 50_000), name="a")


@pytest.mark.parametrize(
    "before",
    [
        chunk(b"zTXt", b"k\0\0" + BOMB),
        chunk(b"iCCP", b"k\0\0" + BOMB),
        chunk(b"iTXt", b"k\0\1\0\0\0" + BOMB),
    ],
    ids=["zTXt", "iCCP", "iTXt"],
)
def test_a_chunk_that_unpacks_to_much_is_refused(before: bytes) -> None:
    with pytest.raises(DataError, match="Decompressed data too large"):
        decode_image(png(16, 16, before=before), name="a")


def test_pixels_beyond_the_size_are_not_unpacked() -> None:
    data = zlib.compress((b"\0" * 49) * 16 + bytes(64 << 20), 9)
    assert decode_image(png(16, 16, data=data), name="a").shape == (16, 16, 3)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_of_many_frames_the_first_is_read(kind: str) -> None:
    frames = [PIL.Image.new("RGB", (8, 8), (number, 0, 0)) for number in range(100)]
    out = io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    assert decode_image(out.getvalue(), name="a").max() == 0


def test_a_picture_that_is_a_program_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would hand PostScript to Ghostscript, whatever the file is called."""
    import PIL.EpsImagePlugin

    def run(*_: object, **__: object) -> None:
        raise AssertionError("Ghostscript was called")

    monkeypatch.setattr(PIL.EpsImagePlugin, "Ghostscript", run)
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
    for read in (decode_image, image_size):
        with pytest.raises(DataError, match=r"a\.jpg: not a picture that is read here"):
            read(eps, name="a.jpg")


def test_transparency_is_composed_a_strip_at_a_time_with_the_same_pixels() -> None:
    random = np.random.default_rng(0)
    for mode, channels in (("RGBA", 4), ("LA", 2)):
        levels = random.integers(0, 256, (600, 5, channels), np.uint8)
        picture = PIL.Image.fromarray(levels, mode) if mode == "LA" else PIL.Image.fromarray(levels)
        out = io.BytesIO()
        picture.save(out, "PNG")
        white = PIL.Image.new("RGBA", (5, 600), "white")
        whole = PIL.Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
        assert np.array_equal(decode_image(out.getvalue(), name="a"), np.asarray(whole))


def test_damaged_pictures_are_counted_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(png(50_000, 50_000))
    (tmp_path / "good.png").write_bytes(png(16, 16))
    found = inspect(open_source(tmp_path))
    assert (found.sizes, len(found.unreadable)) == ({"16x16": 1}, 1)
