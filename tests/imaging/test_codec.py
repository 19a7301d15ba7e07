"""Decoding: every mode becomes RGB, every damage becomes an error with the file's name."""

import io
import struct
import zlib

import cv2
import numpy as np
import PIL.Image
import pytest
import tifffile

from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import decode_image, encode_jpeg, encode_png, image_size


def _bytes(picture: PIL.Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def _picture(height: int = 12, width: int = 20) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_png_keeps_every_pixel_and_is_read_by_another_library() -> None:
    image = _picture()
    data = encode_png(image)
    assert np.array_equal(np.asarray(PIL.Image.open(io.BytesIO(data))), image)
    assert np.array_equal(decode_image(data, name="a.png"), image)
    assert encode_png(image) == data


@pytest.mark.parametrize("shape", [(1, 1_000_001, 3), (1_000_001, 1, 3), (0, 5, 3)])
def test_a_size_that_png_cannot_have_is_refused_without_noise(
    shape: tuple[int, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    told = f"{shape[1]}x{shape[0]} pixels cannot be stored as PNG: expected 1 to 1,000,000"
    with pytest.raises(DataError, match=told):
        encode_png(np.zeros(shape, np.uint8))
    assert capfd.readouterr() == ("", "")


def test_the_longest_png_can_be_written() -> None:
    assert image_size(encode_png(np.zeros((1, 1_000_000, 3), np.uint8)), name="a") == (1, 1_000_000)


def test_a_refusal_by_opencv_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_words: object) -> object:
        raise cv2.error("no room")

    monkeypatch.setattr(cv2, "imencode", refuse)
    with pytest.raises(DataError, match="20x12 pixels cannot be stored as PNG: no room"):
        encode_png(_picture())
    monkeypatch.setattr(cv2, "imencode", lambda *_words: (False, None))
    with pytest.raises(DataError, match="OpenCV refuses them"):
        encode_png(_picture())


def test_jpeg_is_written_with_the_subsampling_that_was_asked_for() -> None:
    image = _picture()
    fine = PIL.Image.open(io.BytesIO(encode_jpeg(image, quality=90, subsampling="4:4:4")))
    coarse = PIL.Image.open(io.BytesIO(encode_jpeg(image, quality=90, subsampling="4:2:0")))
    assert [layer[1:3] for layer in fine.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]
    assert coarse.layer[0][1:3] == (2, 2)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB"]
)
def test_every_mode_becomes_rgb(mode: str) -> None:
    kind = "TIFF" if mode in ("CMYK", "YCbCr", "LAB") else "PNG"
    picture = PIL.Image.fromarray(_picture())
    source = picture.convert("RGB") if mode == "HSV" else _converted(picture, mode)
    image = decode_image(_bytes(source, kind), name="a")
    assert image.shape == (12, 20, 3)
    assert image.dtype == np.uint8
    assert image.flags["C_CONTIGUOUS"]


def _converted(picture: PIL.Image.Image, mode: str) -> PIL.Image.Image:
    if mode != "LAB":
        return picture.convert(mode)
    return PIL.Image.merge("LAB", picture.split())


def test_grey_is_replicated() -> None:
    grey = _picture()[:, :, 0]
    image = decode_image(_bytes(PIL.Image.fromarray(grey)), name="a")
    assert (image == grey[:, :, None]).all()


def test_alpha_is_composed_on_white() -> None:
    pixels = np.array([[[0, 0, 0, 0], [0, 0, 0, 255], [255, 0, 0, 128]]], np.uint8)
    image = decode_image(_bytes(PIL.Image.fromarray(pixels, "RGBA")), name="a")
    assert image.tolist() == [[[255, 255, 255], [0, 0, 0], [255, 127, 127]]]


def test_a_transparent_palette_colour_becomes_white() -> None:
    picture = PIL.Image.new("P", (1, 1), 0)
    picture.putpalette([9, 8, 7])
    image = decode_image(_bytes(picture, transparency=0), name="a")
    assert image.tolist() == [[[255, 255, 255]]]


def test_sixteen_bits_are_scaled_by_257() -> None:
    levels = np.array([[0, 128, 129, 257, 65535 - 129, 65535]], np.uint16)
    image = decode_image(_bytes(PIL.Image.fromarray(levels)), name="a")
    assert image[0, :, 0].tolist() == [0, 0, 1, 1, 254, 255]


def _png(width: int, depth: int, colour_type: int, row: bytes, **extra: bytes) -> bytes:
    """Return a PNG of one row, written out by the book (W3C PNG, 5 and 11)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = struct.pack(">IIBBBBB", width, 1, depth, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + b"".join(chunk(kind.encode(), body) for kind, body in extra.items() if body)
        + chunk(b"IDAT", zlib.compress(b"\0" + row))
        + chunk(b"IEND", b"")
    )


def _sixteen_bit_png(colour_type: int, samples: list[int], extra: bytes = b"") -> bytes:
    width = len(samples) // {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    row = struct.pack(f">{len(samples)}H", *samples)
    return _png(width, 16, colour_type, row, eXIf=extra)


@pytest.mark.parametrize(
    ("colour_type", "samples", "expected"),
    [
        (2, [511, 0, 65535, 257, 128, 129], [[2, 0, 255], [1, 0, 1]]),
        (6, [511, 0, 65535, 65535, 9, 9, 9, 0], [[2, 0, 255], [255, 255, 255]]),
        (4, [511, 65535, 9, 0], [[2, 2, 2], [255, 255, 255]]),
    ],
)
def test_sixteen_bit_colours_of_a_png_are_rounded_too(
    colour_type: int, samples: list[int], expected: list[list[int]]
) -> None:
    data = _sixteen_bit_png(colour_type, samples)
    assert decode_image(data, name="a").tolist() == [expected]


def test_sixteen_bit_colours_are_turned_as_exif_says() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 3
    data = _sixteen_bit_png(2, [511, 0, 65535, 257, 128, 129], exif.tobytes()[6:])
    assert decode_image(data, name="a").tolist() == [[[1, 0, 1], [2, 0, 255]]]
    assert decode_image(data, name="a", apply_orientation=False).tolist()[0][0] == [2, 0, 255]


def test_a_damaged_png_of_sixteen_bit_colours_is_named() -> None:
    data = _sixteen_bit_png(2, list(range(0, 60000, 20)))
    with pytest.raises(DataError, match=r"^cut\.png: "):
        decode_image(data[: len(data) * 2 // 3], name="cut.png")


@pytest.mark.parametrize(
    ("depth", "row", "transparent", "expected"),
    [
        (16, struct.pack(">3H", 500, 501, 65535), 500, [255, 2, 255]),
        (16, struct.pack(">3H", 0, 501, 65535), 65535, [0, 2, 255]),
        (8, bytes([50, 51, 0]), 50, [255, 51, 0]),
        (4, bytes([0x56, 0x00]), 5, [255, 102, 0]),
        (2, bytes([0b01100000]), 1, [255, 170, 0]),
        (1, bytes([0b01000000]), 0, [255, 255, 255]),
    ],
)
def test_a_transparent_level_of_grey_becomes_white_at_any_depth(
    depth: int, row: bytes, transparent: int, expected: list[int]
) -> None:
    data = _png(3, depth, 0, row, tRNS=struct.pack(">H", transparent))
    image = decode_image(data, name="a")
    assert image[0].tolist() == [[level] * 3 for level in expected]


def test_a_transparent_level_is_found_in_a_turned_picture_too() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 3
    row = struct.pack(">3H", 500, 0, 257)
    data = _png(3, 16, 0, row, tRNS=struct.pack(">H", 500), eXIf=exif.tobytes()[6:])
    assert decode_image(data, name="a")[0, :, 0].tolist() == [1, 0, 255]


def _twelve_bit_tiff(levels: np.ndarray, *, orientation: int = 1) -> bytes:
    """Return a little-endian TIFF of packed 12-bit grey, written out by the book (TIFF 6.0)."""
    rows = ["".join(f"{level:012b}" for level in row) for row in levels.tolist()]
    rows = [row + "0" * (-len(row) % 8) for row in rows]  # each begins with a byte of its own
    pixels = b"".join(int(row, 2).to_bytes(len(row) // 8, "big") for row in rows)
    pixels += bytes(len(pixels) % 2)
    (height, width), short, long = levels.shape, 3, 4
    tags = [(256, short, width), (257, short, height), (258, short, 12), (259, short, 1)]
    tags += [(262, short, 1), (273, long, 8), (274, short, orientation), (277, short, 1)]
    tags += [(278, short, height), (279, long, len(pixels))]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory


def test_twelve_bits_of_a_grey_tiff_are_scaled_from_4095() -> None:
    levels = np.array([[0, 8, 9, 16, 4095], [2048, 2047, 1, 4086, 4087]])
    data = _twelve_bit_tiff(levels)
    expected = [[0, 0, 1, 1, 255], [128, 127, 0, 254, 255]]
    image = decode_image(data, name="a")
    assert image.tolist() == [[[level] * 3 for level in row] for row in expected]
    assert expected == np.rint(levels * 255 / 4095).astype(int).tolist()


def test_twelve_bits_are_turned_as_the_orientation_says() -> None:
    data = _twelve_bit_tiff(np.array([[0, 2048, 4095], [1024, 0, 0]]), orientation=6)
    assert decode_image(data, name="a")[:, :, 0].tolist() == [[64, 0], [0, 128], [0, 255]]
    stored = decode_image(data, name="a", apply_orientation=False)[:, :, 0]
    assert stored.tolist() == [[0, 128, 255], [64, 0, 0]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_grey_tiff_whose_zero_is_white_is_turned(dtype: type[np.unsignedinteger]) -> None:
    most = np.iinfo(dtype).max
    levels = np.array([[0, most // 255, most]], dtype)
    for photometric, expected in (("miniswhite", [255, 254, 0]), ("minisblack", [0, 1, 255])):
        file = io.BytesIO()
        tifffile.imwrite(file, levels, photometric=photometric)
        assert decode_image(file.getvalue(), name="a")[0, :, 0].tolist() == expected


def test_floating_point_pixels_are_refused() -> None:
    data = _bytes(PIL.Image.fromarray(np.ones((2, 2), np.float32)), "TIFF")
    with pytest.raises(DataError, match=r"a\.tif.*no stated range"):
        decode_image(data, name="a.tif")


def test_exif_orientation_is_applied_unless_turned_off() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    data = _bytes(PIL.Image.fromarray(_picture(8, 16)), "JPEG", exif=exif)
    assert decode_image(data, name="a").shape == (16, 8, 3)
    assert decode_image(data, name="a", apply_orientation=False).shape == (8, 16, 3)


# Where the letters A B C / D E F of an upright picture lie in a file of each orientation: row 0 and
# column 0 are the sides that the EXIF standard names (2.32, tag 274).
STORED = {
    1: ["ABC", "DEF"],
    2: ["CBA", "FED"],
    3: ["FED", "CBA"],
    4: ["DEF", "ABC"],
    5: ["AD", "BE", "CF"],
    6: ["CF", "BE", "AD"],
    7: ["FC", "EB", "DA"],
    8: ["DA", "EB", "FC"],
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_becomes_upright(orientation: int, kind: str) -> None:
    levels = np.array([[ord(letter) for letter in row] for row in STORED[orientation]], np.uint8)
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    data = _bytes(PIL.Image.fromarray(levels).convert("RGB"), kind, exif=exif)
    upright = decode_image(data, name="a")[:, :, 0]
    assert [bytes(row).decode() for row in upright] == ["ABC", "DEF"]
    stored = decode_image(data, name="a", apply_orientation=False)[:, :, 0]
    assert [bytes(row).decode() for row in stored] == STORED[orientation]


def _exif(*entries: tuple[int, int, int, bytes]) -> bytes:
    """Return EXIF of (tag, type, count, 4 bytes of value or offset), in TIFF's little-endian."""
    body = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + bytes(4)


TURNED = (0x0112, 3, 1, struct.pack("<HH", 6, 0))


@pytest.mark.parametrize(
    "sloppy",
    [
        (0x010F, 11, 1, struct.pack("<f", 1.5)),  # Make, a text, as a float
        (0x011A, 10, 1, struct.pack("<I", 8)),  # XResolution, unsigned, as a signed fraction
        (0x8769, 2, 4, b"abc\0"),  # the offset of a further directory, as text
        (0x0131, 2, 4_000_000, b"\xff\xff\xff\x7f"),  # Software, beyond the end
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_sloppy_tags_beside_the_orientation_do_not_matter(
    sloppy: tuple[int, int, int, bytes], kind: str
) -> None:
    tags = _exif(*sorted((sloppy, TURNED)))
    data = _bytes(PIL.Image.fromarray(_picture(8, 16)), kind, exif=tags)
    assert decode_image(data, name="a").shape == (16, 8, 3)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_odd_orientation_counts_as_upright(value: int) -> None:
    data = _bytes(
        PIL.Image.fromarray(_picture(8, 16)),
        "JPEG",
        exif=_exif((0x0112, 3, 1, struct.pack("<HH", value, 0))),
    )
    assert decode_image(data, name="a").shape == (8, 16, 3)


@pytest.mark.parametrize(
    "tags", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0nonsense"]
)
def test_damaged_exif_counts_as_upright(tags: bytes) -> None:
    data = _bytes(PIL.Image.fromarray(_picture(8, 16)), "JPEG", exif=tags)
    assert decode_image(data, name="a").shape == (8, 16, 3)


@pytest.mark.parametrize("fault", [struct.error, AttributeError, KeyError, ZeroDivisionError])
def test_whatever_a_decoder_raises_names_the_file(
    monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise fault("inside a decoder")

    data = encode_png(_picture())
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(DataError, match=r"^a\.png: .*inside a decoder"):
        decode_image(data, name="a.png")


def test_too_little_memory_is_not_the_files_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    data = encode_png(_picture())
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(MemoryError):
        decode_image(data, name="a.png")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"hello, this is text", "not a picture"),
        (b"\x89PNG\r\n\x1a\n", "not a picture|damaged"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, why: str) -> None:
    with pytest.raises(DataError, match=f"photo.jpg: .*({why})"):
        decode_image(data, name="photo.jpg")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_an_error_and_never_half_a_picture(kind: str, share: float) -> None:
    data = _bytes(PIL.Image.fromarray(_picture(120, 120)), kind)
    with pytest.raises(DataError, match=r"^cut\.bin: "):
        decode_image(data[: int(len(data) * share)], name="cut.bin")


def test_a_bomb_is_refused_from_its_header() -> None:
    data = _bytes(PIL.Image.new("1", (15_000, 10_000)))
    assert len(data) < 100_000
    with pytest.raises(DataError, match=r"bomb\.png: 15000x10000 is 150 megapixels.*limit of 100"):
        decode_image(data, name="bomb.png")


def test_a_bomb_beyond_the_librarys_own_limit_is_refused_too() -> None:
    data = _bytes(PIL.Image.new("1", (20_000, 10_000)))
    with pytest.raises(DataError, match=r"bomb\.png: .*200000000 pixels.*limit of 100"):
        decode_image(data, name="bomb.png")


def test_one_pixel_is_a_picture() -> None:
    image = np.array([[[1, 2, 3]]], np.uint8)
    assert decode_image(encode_png(image), name="a").tolist() == image.tolist()


def test_the_size_is_read_from_the_header() -> None:
    assert image_size(_bytes(PIL.Image.new("RGB", (7, 5))), name="a") == (5, 7)
