"""TensorFlow 1's resize, against a loop over pixels and values that follow from its definition."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pgan_toolkit.errors import UsageError
from pgan_toolkit.metrics.networks import tf1_bilinear


def _plain(image: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """(C, H, W), one pixel at a time, in float32 as the kernel."""
    single = np.float32
    scale_y, scale_x = (
        single(image.shape[1]) / single(height),
        single(image.shape[2]) / single(width),
    )
    result = np.empty((image.shape[0], height, width), single)
    for y in range(height):
        above = int(single(y) * scale_y)
        below, down = min(above + 1, image.shape[1] - 1), single(y) * scale_y - single(above)
        for x in range(width):
            left = int(single(x) * scale_x)
            right, along = min(left + 1, image.shape[2] - 1), single(x) * scale_x - single(left)
            top = image[:, above, left] + (image[:, above, right] - image[:, above, left]) * along
            low = image[:, below, left] + (image[:, below, right] - image[:, below, left]) * along
            result[:, y, x] = top + (low - top) * down
    return result


@pytest.mark.parametrize(
    ("size", "target"),
    [((5, 7), (13, 11)), ((32, 32), (29, 43)), ((40, 31), (11, 9)), ((1, 1), (3, 2)),
     ((9, 9), (9, 9)), ((37, 64), (299, 7))],
)  # fmt: skip
def test_it_equals_a_loop_over_pixels_bit_for_bit(
    size: tuple[int, int], target: tuple[int, int]
) -> None:
    image = np.random.default_rng(sum(size)).integers(0, 256, (3, *size), dtype=np.uint8)
    resized = tf1_bilinear(torch.from_numpy(image)[None], height=target[0], width=target[1])
    assert np.array_equal(resized[0].numpy(), _plain(image.astype(np.float32), *target))


def test_corners_and_centres_are_not_aligned() -> None:
    row = torch.tensor([[[[0.0, 90.0, 30.0]]]])
    wide = tf1_bilinear(row, height=1, width=6)
    assert wide.flatten().tolist() == [0, 45, 90, 60, 30, 30]  # half-pixel centres give 0, 22.5, ..
    assert tf1_bilinear(row, height=1, width=1).item() == 0  # the first pixel, not the middle


def test_nothing_is_smoothed_before_it_is_reduced() -> None:
    stripes = torch.tensor([0, 255], dtype=torch.uint8).repeat(4).expand(1, 3, 8, 8)
    assert (tf1_bilinear(stripes, height=4, width=4) == 0).all()


def test_the_same_size_leaves_all_as_it_is() -> None:
    image = torch.arange(48, dtype=torch.uint8).view(1, 3, 4, 4)
    assert torch.equal(tf1_bilinear(image, height=4, width=4), image.float())


def test_images_do_not_depend_on_each_other() -> None:
    images = torch.randint(
        0, 256, (4, 3, 10, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    whole = tf1_bilinear(images, height=17, width=5)
    single = [tf1_bilinear(each[None], height=17, width=5) for each in images]
    assert torch.equal(whole, torch.cat(single))


@pytest.mark.parametrize(("shape", "height"), [((1, 3, 0, 4), 2), ((1, 3, 4, 4), 0)])
def test_sizes_without_pixels_are_refused(shape: tuple[int, ...], height: int) -> None:
    with pytest.raises(UsageError, match="expected 1 pixel or more"):
        tf1_bilinear(torch.zeros(shape), height=height, width=2)
