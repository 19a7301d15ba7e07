import io

import numpy as np
import PIL.Image
import pytest
from scipy import ndimage

from pgan_toolkit.errors import UsageError
from pgan_toolkit.randomness import generator
from pgan_toolkit.restoration.training import JpegDegradation, SuperresDegradation


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 60, (96, 64, 3))
    smooth = ndimage.gaussian_filter(noise, (2, 2, 0)) * 6 + 128
    return np.clip(smooth, 0, 255).astype(np.uint8)


def _pillow_jpeg(image: np.ndarray, quality: int, subsampling: str) -> np.ndarray:
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(PIL.Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))


def test_a_picture_compressed_once_is_what_libjpeg_makes(picture: np.ndarray) -> None:
    always = JpegDegradation((30, 31), untouched_share=0, twice_share=0, grey_share=0)
    possible = [
        _pillow_jpeg(picture, quality, subsampling)
        for quality in (30, 31)
        for subsampling in ("4:2:0", "4:4:4")
    ]
    seen = set()
    for index in range(24):
        given, target = always.pair(picture, generator(0, "test", index))
        assert np.array_equal(target, picture)
        matches = [number for number, one in enumerate(possible) if np.array_equal(one, given)]
        assert len(matches) == 1
        seen.update(matches)
    assert seen == {0, 1, 2, 3}


def test_low_qualities_are_compressed_twice_too(picture: np.ndarray) -> None:
    twice = JpegDegradation((5, 9), untouched_share=0, twice_share=1)
    given, _ = twice.pair(picture, generator(0, "test", 0))
    assert given.shape == picture.shape


def test_compression_twice_is_on_another_grid_and_worse(picture: np.ndarray) -> None:
    once = JpegDegradation((40, 40), untouched_share=0, twice_share=0, grey_share=0)
    twice = JpegDegradation((40, 40), untouched_share=0, twice_share=1, grey_share=0)

    def error(degradation: JpegDegradation) -> float:
        pairs = (degradation.pair(picture, generator(1, "test", i)) for i in range(20))
        return float(np.mean([np.square(a.astype(float) - b).mean() for a, b in pairs]))

    assert error(twice) > 1.2 * error(once)
    assert twice.pair(picture, generator(1, "test", 0))[0].shape == picture.shape


def test_grey_pictures_are_grey_on_both_sides(picture: np.ndarray) -> None:
    grey = JpegDegradation(grey_share=1)
    for index in range(10):
        for image in grey.pair(picture, generator(2, "test", index)):
            assert np.ptp(image, axis=2).max() == 0


def test_untouched_pictures_stay_close(picture: np.ndarray) -> None:
    untouched = JpegDegradation(untouched_share=1, grey_share=1)  # no colours to subsample
    differences = []
    for index in range(20):
        given, target = untouched.pair(picture, generator(3, "test", index))
        differences.append(np.abs(given.astype(float) - target).mean())
    assert min(differences) == 0
    assert 0 < max(differences) < 3


def test_a_clean_reduction_is_bicubic_alone(picture: np.ndarray) -> None:
    small, target = SuperresDegradation(real_share=0).pair(picture, generator(0, "test"))
    expected = PIL.Image.fromarray(picture).resize((16, 24), PIL.Image.Resampling.BICUBIC)
    assert np.abs(small.astype(int) - np.asarray(expected)).max() <= 1
    assert np.array_equal(target, picture)


def test_the_share_of_real_ones_is_kept(picture: np.ndarray) -> None:
    clean, _ = SuperresDegradation(real_share=0).pair(picture, generator(0, "test"))
    mixed = SuperresDegradation(real_share=0.25)
    real = sum(
        not np.array_equal(mixed.pair(picture, generator(5, "test", i))[0], clean)
        for i in range(400)
    )
    assert 70 <= real <= 130  # three standard deviations around 100


@pytest.mark.parametrize(
    "make",
    [
        lambda: JpegDegradation((0, 50)),
        lambda: JpegDegradation((60, 50)),
        lambda: JpegDegradation(twice_share=1.5),
        lambda: SuperresDegradation(real_share=-0.1),
    ],
)
def test_impossible_settings_are_refused(make) -> None:
    with pytest.raises(UsageError, match="expected"):
        make()
