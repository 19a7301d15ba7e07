"""The pyramid agrees with OpenCV to the last bit, with SciPy, and with the authors' program."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d
from torch import Tensor

from pgan_toolkit.errors import DataError
from pgan_toolkit.metrics.pyramid import laplacian_pyramid, pyramid_down, pyramid_up


def _noise(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(5)).byte()


@pytest.mark.parametrize(("height", "width"), [(16, 16), (64, 64), (32, 80), (4, 4)])
def test_down_and_up_are_those_of_opencv(height: int, width: int) -> None:
    plane = _noise(height, width).float()
    assert np.array_equal(pyramid_down(plane).numpy(), cv2.pyrDown(plane.numpy()))
    assert np.array_equal(pyramid_up(plane).numpy(), cv2.pyrUp(plane.numpy()))


def test_levels_are_those_of_the_definition() -> None:
    plane = _noise(1, 1, 32, 48)
    finest, coarsest = laplacian_pyramid(plane, levels=2)
    finer = plane[0, 0].double().numpy()
    coarser = _blur(finer)[::2, ::2]
    spread = np.zeros_like(finer)
    spread[::2, ::2] = coarser
    assert finest[0, 0].numpy() == pytest.approx(finer - 4 * _blur(spread), abs=1e-4)
    assert coarsest[0, 0].numpy() == pytest.approx(coarser, abs=1e-4)


def _blur(plane: np.ndarray) -> np.ndarray:
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    rows = correlate1d(plane, kernel, 0, mode="mirror")
    return np.asarray(correlate1d(rows, kernel, 1, mode="mirror"))


def test_levels_are_those_of_the_authors_program(oracles: Path) -> None:
    expected = json.loads((oracles / "swd.json").read_text())["laplacian"]
    y, x = np.mgrid[:64, :64]
    image = np.stack([4 * x % 256, 4 * y % 256, x * y // 16 % 256]).astype(np.float32)
    levels = list(laplacian_pyramid(torch.from_numpy(image)[None], levels=3))
    assert [float(each.double().sum()) for each in levels] == pytest.approx(
        expected["level_sum"], rel=1e-5
    )
    assert [float(each.double().abs().sum()) for each in levels] == pytest.approx(
        expected["level_abs_sum"], rel=1e-6
    )
    for place in ((0, 0, 0), (2, 5, 7), (1, -1, -1)):
        name = f"at[0,{','.join(map(str, place))}]"
        found = [float(each[(0, *place)]) for each in levels]
        assert found == pytest.approx(expected[name], abs=1e-4)


def test_an_image_does_not_depend_on_its_batch() -> None:
    batch = _noise(5, 3, 32, 32)
    for whole, alone in zip(
        laplacian_pyramid(batch, levels=2), laplacian_pyramid(batch[3:4], levels=2), strict=True
    ):
        assert torch.equal(whole[3:4], alone)


def test_a_flat_image_has_no_detail_and_keeps_its_value() -> None:
    finest, middle, coarsest = laplacian_pyramid(torch.full((1, 3, 32, 16), 77.0), levels=3)
    assert not finest.any()
    assert not middle.any()
    assert torch.equal(coarsest, torch.full((1, 3, 8, 4), 77.0))


def test_sides_that_do_not_halve_are_refused() -> None:
    with pytest.raises(DataError, match=r"30x32 pixels; a pyramid of 3 levels takes .* of 4"):
        list(laplacian_pyramid(_noise(1, 3, 32, 30), levels=3))


@pytest.mark.usefixtures("cuda")
def test_a_gpu_gives_the_same_bits() -> None:
    batch = _noise(3, 3, 128, 128)
    for here, there in zip(
        laplacian_pyramid(batch, levels=4), laplacian_pyramid(batch.cuda(), levels=4), strict=True
    ):
        assert torch.equal(here, there.cpu())
