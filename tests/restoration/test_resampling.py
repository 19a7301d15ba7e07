"""Lanczos on tensors against Pillow's, which rounds and clips between its two passes."""

import numpy as np
import pytest
import torch

from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging import lanczos_resize
from pgan_toolkit.restoration.resampling import lanczos_enlarge, lanczos_shrink


def _picture(height: int = 40, width: int = 52) -> np.ndarray:
    # No value overshoots 0..255, which Pillow would clip after its first pass.
    return np.random.default_rng(0).integers(90, 166, (height, width, 3), dtype=np.uint8)


def _tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float()


def _pixels(values: torch.Tensor) -> np.ndarray:
    return values.round().clamp(0, 255)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_enlarging_gives_pillows_pixels(factor: int) -> None:
    expected = lanczos_resize(_picture(), width=52 * factor, height=40 * factor)
    ours = _pixels(lanczos_enlarge(_tensor(_picture()), factor=factor))
    assert np.abs(ours - expected).max() <= 1


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_shrinking_gives_pillows_pixels(factor: int) -> None:
    expected = lanczos_resize(_picture(), width=52 // factor, height=40 // factor)
    ours = _pixels(lanczos_shrink(_tensor(_picture()), factor=factor))
    assert np.abs(ours - expected).max() <= 1


@pytest.mark.parametrize("factor", [2, 4])
def test_one_colour_stays_that_colour_up_to_the_edges(factor: int) -> None:
    flat = torch.full((2, 3, 8, 12), 0.7)
    for result in (lanczos_enlarge(flat, factor=factor), lanczos_shrink(flat, factor=factor)):
        assert torch.allclose(result, torch.tensor(0.7), atol=1e-6)


def test_a_size_that_does_not_divide_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\(9, 12\) pixels cannot be shrunk by 2"):
        lanczos_shrink(torch.zeros(1, 3, 9, 12), factor=2)
