"""Resampling agrees with Pillow as a whole, and in parts with itself; bicubic with MATLAB's."""

import math
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging import Box, bicubic_resize, box_downscale, decode_image, lanczos_resize


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


def _matlab_weights(size: int, target: int) -> np.ndarray:
    """Rows of weights of MATLAB's imresize: the cubic of a = -0.5, borders mirrored with edges."""
    scale = target / size
    stretch = min(scale, 1)
    centres = (np.arange(target) + 0.5) / scale - 0.5
    first = np.floor(centres - 2 / stretch) + 1
    taps = first[:, None] + np.arange(math.ceil(4 / stretch) + 2) - 1
    distance = np.abs(stretch * (centres[:, None] - taps))
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weights = np.where(distance <= 1, near, np.where(distance <= 2, far, 0))
    weights /= weights.sum(axis=1, keepdims=True)
    source = taps.astype(int) % (2 * size)
    source = np.where(source < size, source, 2 * size - 1 - source)
    matrix = np.zeros((target, size))
    np.add.at(matrix, (np.arange(target)[:, None], source), weights)
    return matrix


def _matlab_resize(image: np.ndarray, *, width: int, height: int) -> np.ndarray:
    rows, columns = (
        _matlab_weights(*sizes) for sizes in ((image.shape[0], height), (image.shape[1], width))
    )
    exact = np.einsum("ij,jkc,lk->ilc", rows, image.astype(np.float64), columns, optimize=True)
    return np.asarray(np.clip(np.floor(exact + 0.5), 0, 255), np.uint8)


@pytest.mark.parametrize(("width", "height"), [(25, 18), (400, 288), (61, 50)])
def test_bicubic_is_matlabs_but_for_rounding_and_the_border(width: int, height: int) -> None:
    # Middle levels, so that nothing is clipped between Pillow's two passes, which also round.
    image = 64 + _noise(72, 100) // 2
    ours = bicubic_resize(image, width=width, height=height)
    difference = np.abs(ours.astype(int) - _matlab_resize(image, width=width, height=height))
    # Near a border Pillow drops the taps that lie outside.
    reach = math.ceil(2 * max(width / 100, 1))
    assert difference[reach:-reach, reach:-reach].max() <= 2
    assert difference[reach:-reach, reach:-reach].mean() < 0.4


def test_bicubic_keeps_the_size_and_flat_pictures() -> None:
    flat = np.full((20, 30, 3), (1, 128, 254), np.uint8)
    assert np.array_equal(bicubic_resize(flat, width=30, height=20), flat)
    assert (bicubic_resize(flat, width=7, height=5) == flat[0, 0]).all()


@pytest.mark.shared_data
def test_bicubic_moves_no_score_of_super_resolution(shared_data: Path) -> None:
    from pgan_toolkit.restoration.fidelity import compare

    def scored(resize: object, image: np.ndarray) -> float:
        height, width = image.shape[:2]
        small = resize(image, width=width // 4, height=height // 4)  # type: ignore[operator]
        large = resize(small, width=width, height=height)  # type: ignore[operator]
        return compare(image, large, shave_px=4).psnr_luma

    files = sorted((shared_data / "photos_test/Set5").glob("*.png"))
    images = [decode_image(path.read_bytes(), name=path.name) for path in files]
    cut = [image[: image.shape[0] // 4 * 4, : image.shape[1] // 4 * 4] for image in images]
    whole = [np.ascontiguousarray(image) for image in cut]
    ours = [scored(bicubic_resize, image) for image in whole]
    exact = [scored(_matlab_resize, image) for image in whole]
    assert np.abs(np.subtract(ours, exact)).max() < 0.02
    assert np.mean(ours) == pytest.approx(28.42, abs=0.015)
    assert np.mean(exact) == pytest.approx(28.42, abs=0.015)
