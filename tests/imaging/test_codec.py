"""Decoding: every mode becomes RGB, every damage becomes an error with the file's name."""

import io

import numpy as np
import PIL.Image
import pytest

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
