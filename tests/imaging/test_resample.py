"""Resampling agrees with Pillow as a whole, and in parts with itself."""

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging import Box, box_downscale, lanczos_resize


def _noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(("width", "height"), [(64, 48), (200, 150), (33, 21)])
def test_lanczos_is_pillows(width: int, height: int) -> None:
    image = _noise(75, 100)
    ours = lanczos_resize(image, width=width, height=height)
    theirs = PIL.Image.fromarray(image).resize((width, height), PIL.Image.Resampling.LANCZOS)
    assert np.array_equal(ours, np.asarray(theirs))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_region_has_the_pixels_of_the_whole(data: st.DataObject) -> None:
    image = _noise(61, 83)
    width = data.draw(st.integers(10, 170), "width")
    height = data.draw(st.integers(10, 130), "height")
    left = data.draw(st.integers(0, width - 2), "left")
    top = data.draw(st.integers(0, height - 2), "top")
    right = data.draw(st.integers(left + 1, width), "right")
    bottom = data.draw(st.integers(top + 1, height), "bottom")
    whole = lanczos_resize(image, width=width, height=height)
    part = lanczos_resize(image, width=width, height=height, region=Box(left, top, right, bottom))
    difference = np.abs(part.astype(int) - whole[top:bottom, left:right])
    # Pillow holds the box in float32 and rounds between its two passes.
    assert difference.max() <= 2
    assert difference.mean() < 0.5


def test_the_same_size_is_left_alone() -> None:
    image = _noise(20, 30)
    assert lanczos_resize(image, width=30, height=20) is image


def test_box_is_the_rounded_mean() -> None:
    image = _noise(24, 32)
    mean = image.reshape(6, 4, 8, 4, 3).mean(axis=(1, 3))
    assert np.abs(box_downscale(image, factor=4) - mean).max() <= 0.5


def test_box_refuses_what_does_not_divide() -> None:
    with pytest.raises(UsageError, match="30x20 pixels cannot be shrunk by 4"):
        box_downscale(_noise(20, 30), factor=4)
