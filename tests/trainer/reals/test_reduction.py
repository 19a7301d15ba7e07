import numpy as np
import pytest
import torch
from torch.nn import functional

from pgan_toolkit.errors import UsageError
from reference_trainer.reals import cross_fade, reduce_images
from reference_trainer.reals.reduction import reduced_levels


def _block_means(images: np.ndarray, resolution: int) -> np.ndarray:
    count, channels, side, _ = images.shape
    factor = side // resolution
    blocks = images.reshape(count, channels, resolution, factor, resolution, factor)
    return np.rint(blocks.mean(axis=(3, 5), dtype=np.float64)).astype(np.uint8)


@pytest.mark.parametrize("resolution", [64, 32, 16, 8, 4, 2, 1])
def test_agrees_with_means_in_float64(resolution: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 2, 64, 64), np.uint8)
    assert np.array_equal(
        reduce_images(images, resolution=resolution), _block_means(images, resolution)
    )


@pytest.mark.parametrize("value", [0, 1, 254, 255])
def test_flat_pictures_stay_flat_however_large(value: int) -> None:
    """The sums of 16-bit and of 32-bit blocks do not overflow."""
    images = np.full((1, 1, 1024, 1024), value, np.uint8)
    for level in reduced_levels(images, resolutions=[64, 32, 4]):
        assert (level == value).all()


def test_is_rounded_once() -> None:
    """Three 2x2 means of 6/4 and one of 0: the mean of all is 18/16, 1; of 2, 2, 2, 0 it is 2."""
    image = np.zeros((4, 4), np.uint8)
    image[0] = 3
    image[2, :2] = 3
    assert _halved_and_rounded_twice(image) == 2
    assert reduce_images(image[None, None], resolution=1).item() == 1


def _halved_and_rounded_twice(image: np.ndarray) -> int:
    once = np.rint(image.reshape(2, 2, 2, 2).mean(axis=(1, 3)))
    return int(np.rint(once.mean()))


def test_halves_go_to_the_even_integer() -> None:
    images = np.array([[[[1, 0], [0, 1]]], [[[1, 2], [1, 2]]]], np.uint8)
    assert reduce_images(images, resolution=1).ravel().tolist() == [0, 2]


def test_levels_come_in_the_order_asked_for() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 28, 28), np.uint8)
    levels = reduced_levels(images, resolutions=[7, 28, 14])
    assert [level.shape[-1] for level in levels] == [7, 28, 14]
    assert levels[1] is images
    assert np.array_equal(levels[0], _block_means(images, 7))


@pytest.mark.parametrize("resolution", [0, 3, 5, 10, 32])
def test_other_resolutions_are_refused(resolution: int) -> None:
    with pytest.raises(UsageError, match=rf"resolution={resolution}: pictures of 16x16"):
        reduce_images(np.zeros((1, 3, 16, 16), np.uint8), resolution=resolution)


def test_a_third_is_no_power_of_two() -> None:
    with pytest.raises(UsageError, match="resolution=4"):
        reduce_images(np.zeros((1, 3, 12, 12), np.uint8), resolution=4)


def test_cross_fade_by_hand() -> None:
    images = torch.tensor([[[[0.0, 1.0], [2.0, 5.0]]]])  # mean 2
    mixed = cross_fade(images, 0.25)
    assert torch.allclose(mixed, torch.tensor([[[[1.5, 1.75], [2.0, 2.75]]]]))


def test_cross_fade_is_linear_between_its_ends() -> None:
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert cross_fade(images, 1.0) is images
    coarse = cross_fade(images, 0.0)
    means = functional.avg_pool2d(images, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.allclose(coarse, means)
    # 2x2 means are kept, at any alpha
    for alpha in (0.0, 0.3, 0.9):
        mixed = cross_fade(images, alpha)
        assert torch.allclose(mixed, alpha * images + (1 - alpha) * means, atol=1e-6)
        assert torch.allclose(functional.avg_pool2d(mixed, 2), functional.avg_pool2d(images, 2))


def test_cross_fade_takes_a_tensor_as_a_captured_step_does() -> None:
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for alpha in (0.0, 0.4, 1.0):
        mixed = cross_fade(images, torch.tensor(alpha))
        assert torch.allclose(mixed, cross_fade(images, alpha), atol=1e-6)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_cross_fade_refuses_other_weights(alpha: float) -> None:
    with pytest.raises(UsageError, match="expected 0 to 1"):
        cross_fade(torch.zeros(1, 3, 4, 4), alpha)
