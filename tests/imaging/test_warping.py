"""The oriented crop: exact where it can be, and close to another library elsewhere."""

import numpy as np
import pytest
import skimage.data
import skimage.transform

from pgan_toolkit.arrays import Quad
from pgan_toolkit.imaging import box_downscale, warp_quad


def _square(left: float, top: float, side: float) -> Quad:
    right, bottom = left + side, top + side
    return np.array([[left, top], [left, bottom], [right, bottom], [right, top]], np.float64)


def test_an_upright_square_of_the_output_size_is_cut_out() -> None:
    image = skimage.data.astronaut()
    smooth = np.repeat(np.repeat(box_downscale(image, factor=8), 8, 0), 8, 1)
    cut = warp_quad(smooth, _square(-0.5 + 64, -0.5 + 128, 256), size=256, final_filter="box")
    expected = smooth[128:384, 64:320]
    inside = np.ones(256, bool)
    inside[::8] = inside[7::8] = False  # at the edges of the flat blocks bilinear blends
    assert np.abs(cut.astype(int) - expected)[inside][:, inside].max() <= 1


@pytest.mark.parametrize("final_filter", ["box", "lanczos"])
def test_a_turned_square_agrees_with_scikit_image(final_filter: str) -> None:
    image = skimage.data.astronaut()
    angle, side, centre = 0.4, 200.0, np.array([250.0, 230.0])
    x = np.array([np.cos(angle), np.sin(angle)]) * side / 2
    y = np.array([-x[1], x[0]])
    quad = np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])
    ours = warp_quad(image, quad, size=128, final_filter=final_filter)  # type: ignore[arg-type]

    fine = 4 * 128
    steps = (np.arange(fine) + 0.5) / fine
    grid = (
        quad[0]
        + steps[None, :, None] * (quad[3] - quad[0])
        + steps[:, None, None] * (quad[1] - quad[0])
    )
    sampled = np.stack(
        [
            skimage.transform.warp(
                image[:, :, channel].astype(float), grid.transpose(2, 0, 1)[::-1], order=1
            )
            for channel in range(3)
        ],
        axis=2,
    )
    expected = sampled.reshape(128, 4, 128, 4, 3).mean(axis=(1, 3))
    error = ours - expected
    assert np.sqrt((error**2).mean()) < (0.6 if final_filter == "box" else 8.0)


def test_four_quarter_turns_of_the_quad_turn_the_crop() -> None:
    image = skimage.data.astronaut()
    quad = _square(100.3, 60.8, 220)
    upright = warp_quad(image, quad, size=64, final_filter="box")
    turned = warp_quad(image, np.roll(quad, -1, axis=0), size=64, final_filter="box")
    assert np.abs(np.rot90(upright, -1).astype(int) - turned).max() <= 2
