"""The quality score: what must leave it alone, what must lower it, and what it must survive."""

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from pgan_toolkit.arrays import Image
from pgan_toolkit.celebahq.quality import MIN_SIDE_PX, measure_quality, quality_score
from pgan_toolkit.errors import DataError


def _field(size: int = 512, *, slope: float = 1.0, seed: int = 0, contrast: float = 35) -> Image:
    """Gaussian random field of amplitude 1/f^slope, grey, centred on 128."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None])
    frequency[0, 0] = np.inf
    white = np.fft.fft2(np.random.default_rng(seed).normal(size=(size, size)))
    plane = np.fft.ifft2(white / frequency**slope).real
    grey = np.clip(np.rint(128 + contrast * plane / plane.std()), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


@pytest.fixture(scope="module")
def photo() -> Image:
    """A sharp portrait of 512x512."""
    skimage_data = pytest.importorskip("skimage.data")
    return np.ascontiguousarray(skimage_data.astronaut())


def _jpeg(image: Image, quality: int) -> Image:
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.array(PIL.Image.open(buffer).convert("RGB"), np.uint8)


def _down_up(image: Image, factor: int) -> Image:
    height, width = image.shape[:2]
    small = cv2.resize(image, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def _enlarged(image: Image, factor: int) -> Image:
    large = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.uint8)


def _noisy(image: Image, sigma: float) -> Image:
    noise = np.random.default_rng(1).normal(0, sigma, image.shape)
    return np.asarray(np.clip(np.rint(image + noise), 0, 255), np.uint8)


def _motion(image: Image, length: int) -> Image:
    kernel = np.eye(length, dtype=np.float32) / length
    return np.asarray(cv2.filter2D(image, -1, kernel))


def _screen(image: Image, share: float) -> Image:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    dots = 0.5 + 0.25 * (np.cos((x + y) * 1.1) + np.cos((x - y) * 1.1))
    printed = 255.0 * (image / 255.0 > dots[..., None])
    return np.asarray(np.clip(np.rint((1 - share) * image + share * printed), 0, 255), np.uint8)


_LADDERS: dict[str, tuple[Callable[..., Image], tuple[float, ...]]] = {
    "blur": (lambda i, s: np.asarray(cv2.GaussianBlur(i, (0, 0), s)), (0.7, 1.5, 3, 6)),
    "motion": (_motion, (5, 9, 15, 25)),
    "scaling": (_down_up, (2, 4, 8)),
    "noise": (_noisy, (10, 20, 40)),
    "screen": (_screen, (0.1, 0.3, 1.0)),
}


@pytest.mark.parametrize("name", _LADDERS)
def test_each_step_down_a_ladder_costs(name: str, photo: Image) -> None:
    degrade, steps = _LADDERS[name]
    scores = [quality_score(photo), *(quality_score(degrade(photo, step)) for step in steps)]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)


@pytest.mark.parametrize("qualities", [(50, 20, 5), (40, 30, 10)])
def test_jpeg_costs_the_more_the_stronger_it_is(qualities: tuple[int, ...], photo: Image) -> None:
    """The strongest leaves half of the blocks flat, with few edges between them left to see."""
    soft = _enlarged(photo[:256, 60:316], 4)
    noisy = _noisy(soft, 1.5)
    scores = [quality_score(noisy), *(quality_score(_jpeg(noisy, q)) for q in qualities)]
    assert scores == sorted(scores, reverse=True)
    assert scores[1] < scores[0] - 10
    assert scores[-1] < scores[1] - 50


def test_strong_jpeg_costs_a_sharp_picture_too(photo: Image) -> None:
    scores = [quality_score(photo), *(quality_score(_jpeg(photo, q)) for q in (20, 10, 5))]
    assert scores == sorted(scores, reverse=True)


def test_jpeg_costs_a_picture_on_a_clipped_background_no_more(photo: Image) -> None:
    """White paper around a picture is flat too, but no codec made it so."""
    y, x = np.mgrid[:512, :512]
    white = np.clip((np.hypot(x - 230, y - 200) - 170) / 40, 0, 1)[..., None]
    framed = np.asarray(np.rint(photo * (1 - white) + 255 * white), np.uint8)
    coded = [measure_quality(_jpeg(image, 20)).lattice for image in (photo, framed)]
    assert measure_quality(framed).lattice == pytest.approx(0, abs=1)
    assert coded[1] < 2 * coded[0]


@pytest.mark.parametrize("factor", [1, 4])
def test_grain_costs_the_more_the_stronger_it_is_enlarged_or_not(factor: int, photo: Image) -> None:
    """Enlarged, noise leaves the two upper octaves; the third from the top still holds it."""
    middle = photo[40:296, 100:356] if factor > 1 else photo
    noise = np.random.default_rng(3).normal(0, 1, middle.shape[:2])[..., None]
    scores = []
    for sigma in (0, 10, 30):
        noisy = np.clip(np.rint(middle + sigma * noise), 0, 255).astype(np.uint8)
        scores.append(quality_score(_enlarged(noisy, factor)))
    assert scores[0] > scores[1] > scores[2]


@pytest.mark.parametrize("turned", [np.fliplr, np.flipud, np.rot90, lambda i: np.rot90(i, 2)])
def test_mirroring_and_turning_change_nothing(
    turned: Callable[[Image], Image], photo: Image
) -> None:
    score = quality_score(np.ascontiguousarray(turned(photo)))
    assert score == pytest.approx(quality_score(photo), abs=1e-3)


@pytest.mark.parametrize("slope", [1.0, 1.5])
def test_brightness_without_clipping_changes_nothing(slope: float) -> None:
    image = _field(slope=slope, contrast=20)
    assert image.min() > 20
    assert image.max() < 225
    for shift in (-20, 30):
        other = (image.astype(np.int16) + shift).astype(np.uint8)
        assert quality_score(other) == pytest.approx(quality_score(image), abs=1e-3)


@pytest.mark.parametrize("slope", [1.0, 1.5])
def test_contrast_changes_little(slope: float) -> None:
    scores = [quality_score(_field(slope=slope, contrast=c)) for c in (12, 18, 30)]
    assert max(scores) - min(scores) < 3  # the rounding to 8 bits weighs more at low contrast


def test_wide_spectra_beat_steep_ones() -> None:
    slopes = (1.0, 1.3, 1.6, 2.0, 3.0)
    bands = [measure_quality(_field(slope=slope)).bandwidth for slope in slopes]
    assert bands == sorted(bands, reverse=True)
    assert bands[0] > 80
    assert bands[-1] < 20


def test_white_noise_is_no_detail(photo: Image) -> None:
    noise = np.random.default_rng(0).integers(0, 256, photo.shape).astype(np.uint8)
    report = measure_quality(noise)
    assert report.noise > 40
    assert report.score < quality_score(photo)


def test_each_component_answers_to_its_own_fault(photo: Image) -> None:
    clean = measure_quality(photo)
    assert measure_quality(_noisy(photo, 20)).noise > clean.noise + 10
    assert measure_quality(_screen(photo, 0.5)).asymmetry > clean.asymmetry + 2
    assert measure_quality(_jpeg(photo, 20)).lattice > clean.lattice + 1
    assert measure_quality(_down_up(photo, 4)).bandwidth < clean.bandwidth - 10


def test_a_blurred_border_matters_little(photo: Image) -> None:
    """As padding makes it: 12 % of the height, mirrored and blurred, at the bottom."""
    edge = 61
    padded = photo.copy()
    mirrored = photo[-edge - 1 : -2 * edge - 1 : -1]
    padded[-edge:] = cv2.GaussianBlur(np.ascontiguousarray(mirrored), (0, 0), 10)
    loss = quality_score(photo) - quality_score(padded)
    blur = quality_score(photo) - quality_score(np.asarray(cv2.GaussianBlur(photo, (0, 0), 1.0)))
    assert abs(loss) < blur / 2


@pytest.mark.parametrize("value", [0, 137, 255])
@pytest.mark.parametrize("shape", [(64, 64, 3), (65, 64, 3), (100, 301, 3)])
def test_blank_pictures_score_zero(value: int, shape: tuple[int, int, int]) -> None:
    report = measure_quality(np.full(shape, value, np.uint8))
    assert set(dataclasses.astuple(report)) == {0.0}


@pytest.mark.parametrize("shape", [(64, 64, 3), (64, 97, 3), (131, 70, 3), (256, 256, 3)])
@pytest.mark.parametrize("pattern", ["noise", "dot", "edge", "columns", "checks"])
def test_any_picture_of_any_size_has_a_finite_score(
    shape: tuple[int, int, int], pattern: str
) -> None:
    image = np.zeros(shape, np.uint8)
    y, x = np.mgrid[: shape[0], : shape[1]]
    planes = {
        "noise": np.random.default_rng(0).integers(0, 256, shape[:2]),
        "dot": np.where((y == 30) & (x == 30), 255, 0),
        "edge": np.where(x > shape[1] // 2, 255, 0),
        "columns": 255 * (x % 2),
        "checks": 255 * ((x + y) % 2),
    }
    image[:] = planes[pattern][..., None]
    report = measure_quality(image)
    assert np.isfinite(dataclasses.astuple(report)).all()
    parts = (report.asymmetry, report.noise, report.lattice)
    assert min(parts) >= 0
    assert report.score == pytest.approx(report.bandwidth - sum(parts))
    assert 0 <= report.bandwidth <= 100


def test_small_pictures_are_refused_with_a_reason() -> None:
    with pytest.raises(DataError, match=f"63x200.*at least {MIN_SIDE_PX}x{MIN_SIDE_PX}"):
        quality_score(np.zeros((200, 63, 3), np.uint8))


def test_the_same_picture_scores_the_same(photo: Image) -> None:
    before = photo.copy()
    assert measure_quality(photo) == measure_quality(photo)
    np.testing.assert_array_equal(photo, before)


def _load(path: Path) -> Image:
    return np.array(PIL.Image.open(path).convert("RGB"), np.uint8)


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["00012", "00048", "00102"])
def test_real_portraits_lose_by_every_fault(name: str, shared_data: Path) -> None:
    image = _load(shared_data / "faces_1024" / f"{name}.png")
    clean = quality_score(image)
    assert clean > 30
    for degrade, steps in _LADDERS.values():
        assert quality_score(degrade(image, steps[0])) < clean
    coded = [clean, *(quality_score(_jpeg(image, quality)) for quality in (50, 20, 5))]
    assert coded == sorted(coded, reverse=True)


@pytest.mark.shared_data
def test_a_thumbnail_enlarged_ranks_below_published_pictures(shared_data: Path) -> None:
    published = [
        quality_score(_load(path))
        for path in sorted((shared_data / "celeba_hq_samples").glob("*.jpg"))[:6]
    ]
    thumbnail = cv2.resize(
        _load(shared_data / "faces_1024" / "00126.png"), (96, 96), interpolation=cv2.INTER_AREA
    )
    enlarged = cv2.resize(thumbnail, (1024, 1024), interpolation=cv2.INTER_LANCZOS4)
    assert quality_score(np.asarray(enlarged, np.uint8)) < min(published) - 15
