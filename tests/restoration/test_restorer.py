"""The interface, and the restorer that only resamples."""

import numpy as np
import pytest

from pgan_toolkit.errors import UsageError
from pgan_toolkit.imaging import Box, lanczos_resize
from pgan_toolkit.restoration import LanczosRestorer, Restorer
from pgan_toolkit.restoration.restorer import require_power_of_two

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 33, 3), np.uint8)


def test_lanczos_keeps_the_protocol_and_is_its_own_every_step() -> None:
    restorer = LanczosRestorer()
    assert isinstance(restorer, Restorer)
    assert restorer.only("jpeg") is restorer
    assert restorer.only("superres") is restorer
    assert (restorer.identity, restorer.margin_px, restorer.alignment_px) == ("lanczos", 3, 1)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_lanczos_enlarges_a_region_as_it_is_in_the_whole(scale: int) -> None:
    whole = LanczosRestorer().restore(PICTURE, scale=scale)
    assert np.array_equal(whole, lanczos_resize(PICTURE, width=33 * scale, height=20 * scale))
    part = LanczosRestorer().restore(PICTURE, scale=scale, region=Box(4, 6, 30, 19))
    assert np.array_equal(part, whole[6 * scale : 19 * scale, 4 * scale : 30 * scale])


def test_powers_of_two() -> None:
    for scale in (1, 2, 4, 1024):
        require_power_of_two(scale)
    for scale in (0, -1, 3, 6):
        with pytest.raises(UsageError, match=f"scale {scale}: expected a power of two"):
            require_power_of_two(scale)
    with pytest.raises(UsageError, match="scale 3"):
        LanczosRestorer().restore(PICTURE, scale=3)
