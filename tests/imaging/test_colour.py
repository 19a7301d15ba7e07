"""Lumas agree with scikit-image and with what their definitions say of white and the primaries."""

import io

import numpy as np
import PIL.Image
import pytest
import skimage.color

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.imaging import (
    decode_image,
    encode_grey_jpeg,
    encode_jpeg,
    full_luma,
    grey_levels,
    grey_to_rgb,
    is_grey,
    luma,
    stored_grey,
    studio_luma,
)


def _noise() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (24, 35, 3), np.uint8)


@pytest.mark.parametrize(
    ("colour", "level"),
    [
        ((0, 0, 0), 16),
        ((255, 255, 255), 235),
        ((255, 0, 0), 81.481),
        ((0, 255, 0), 144.553),
        ((0, 0, 255), 40.966),
    ],
)
def test_studio_luma_of_the_primaries(colour: tuple[int, int, int], level: float) -> None:
    image = np.full((2, 3, 3), colour, np.uint8)
    assert studio_luma(image) == pytest.approx(np.full((2, 3), level), abs=1e-9)


def test_studio_luma_is_that_of_scikit_image() -> None:
    image = _noise()
    theirs = skimage.color.rgb2ycbcr(image)[..., 0]
    assert studio_luma(image) == pytest.approx(theirs, abs=1e-9)


def test_full_luma_is_that_of_opencv_and_exact_on_grey() -> None:
    image = _noise()
    assert full_luma(image) == pytest.approx(luma(image), abs=1e-3)
    grey = grey_to_rgb(image[..., 0])
    assert np.array_equal(full_luma(grey), image[..., 0])


def test_a_picture_is_grey_only_where_all_of_it_is() -> None:
    grey = grey_to_rgb(_noise()[..., 0])
    assert is_grey(grey)
    grey[-1, -1, 2] ^= 1
    assert not is_grey(grey)


def test_levels_are_rounded_halves_up() -> None:
    plane = np.array([[0.0, 0.5, 1.5, 2.49], [254.4, 254.5, 255.0, 2.5]])
    assert grey_levels(plane).tolist() == [[0, 1, 2, 2], [254, 255, 255, 3]]


@pytest.mark.parametrize("wrong", [-0.1, 255.1, np.nan])
def test_levels_out_of_range_are_refused(wrong: float) -> None:
    with pytest.raises(UsageError, match=r"expected 0\.\.255"):
        grey_levels(np.array([[10.0, wrong]]))


def test_a_grey_jpeg_is_the_luma_of_a_colour_jpeg_of_the_same_picture() -> None:
    grey = grey_to_rgb(_noise()[..., 0])
    alone = encode_grey_jpeg(grey[..., 0], quality=30)
    in_colour = encode_jpeg(grey, quality=30)
    assert len(alone) < len(in_colour)
    decoded = decode_image(alone, name="grey")
    assert is_grey(decoded)
    assert np.array_equal(decoded, decode_image(in_colour, name="colour"))


@pytest.mark.parametrize(
    ("mode", "grey"),
    [("L", True), ("LA", True), ("1", True), ("I;16", True), ("RGB", False), ("P", False)],
)
def test_a_file_says_whether_it_holds_one_channel(mode: str, grey: bool) -> None:
    buffer = io.BytesIO()
    PIL.Image.new(mode, (4, 3)).save(buffer, "PNG")
    assert stored_grey(buffer.getvalue(), name="x") is grey


def test_lab_is_colour_although_its_name_begins_as_grey_does() -> None:
    buffer = io.BytesIO()
    PIL.Image.new("LAB", (4, 3)).save(buffer, "TIFF")
    assert not stored_grey(buffer.getvalue(), name="x")


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(DataError, match="notes"):
        stored_grey(b"plain words", name="notes")
