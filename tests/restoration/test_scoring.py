"""Scores agree with scikit-image, with their formulas, and with the published tables."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import skimage.metrics
from scipy.ndimage import correlate1d

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.imaging import Box, encode_png, grey_to_rgb, is_grey, lanczos_resize, studio_luma
from pgan_toolkit.restoration import LanczosRestorer
from pgan_toolkit.restoration.scoring import (
    Fidelity,
    PictureScore,
    compare,
    mean_scores,
    psnr,
    score_restorer,
    ssim,
)
from pgan_toolkit.storage import StoredSource, open_source


def _planes() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    first = random.uniform(0, 255, (40, 50))
    return first, np.clip(first + random.normal(0, 20, first.shape), 0, 255)


def _picture(seed: int, height: int = 45, width: int = 66) -> np.ndarray:
    """Smooth blobs of colour."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return lanczos_resize(small, width=width, height=height)


@pytest.fixture
def pictures(tmp_path: Path) -> StoredSource:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.png").write_bytes(encode_png(_picture(1)))
    (folder / "b.png").write_bytes(encode_png(grey_to_rgb(_picture(2)[..., 0])))
    return open_source(folder)


@dataclass(frozen=True)
class _Spy:
    """Returns what `answer` makes of the picture, and keeps what it was given."""

    answer: Callable[[np.ndarray, int], np.ndarray]
    given: list[np.ndarray] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    identity: str = "spy"
    margin_px: int = 0
    alignment_px: int = 1

    def restore(self, image: np.ndarray, *, scale: int, region: Box | None = None) -> np.ndarray:
        assert region is None
        self.given.append(image)
        return self.answer(image, scale)

    def only(self, step: str) -> "_Spy":
        self.steps.append(step)
        return self


def _repeated(image: np.ndarray, scale: int) -> np.ndarray:
    return image.repeat(scale, 0).repeat(scale, 1)


def test_one_level_off_everywhere_is_48_dB() -> None:  # noqa: N802 - the unit's name
    first, _ = _planes()
    assert psnr(first, first + 1) == pytest.approx(48.1308036)
    assert psnr(first, first) == math.inf


def test_psnr_is_that_of_scikit_image() -> None:
    first, second = _planes()
    theirs = skimage.metrics.peak_signal_noise_ratio(first, second, data_range=255)
    assert psnr(first, second) == pytest.approx(theirs)


def test_ssim_is_its_formula_over_whole_windows() -> None:
    first, second = _planes()
    window = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window /= window.sum()

    def mean(plane: np.ndarray) -> np.ndarray:
        return correlate1d(correlate1d(plane, window, 0), window, 1)[5:-5, 5:-5]

    m1, m2 = mean(first), mean(second)
    v1, v2 = mean(first**2) - m1**2, mean(second**2) - m2**2
    covariance = mean(first * second) - m1 * m2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    upper = (2 * m1 * m2 + c1) * (2 * covariance + c2)
    expected = np.mean(upper / ((m1**2 + m2**2 + c1) * (v1 + v2 + c2)))
    assert ssim(first, second) == pytest.approx(expected, abs=1e-10)
    assert ssim(first, first) == pytest.approx(1)
    assert ssim(first, second) == pytest.approx(ssim(second, first))


def test_planes_that_cannot_be_compared_are_refused() -> None:
    first, second = _planes()
    for measure in (psnr, ssim):
        with pytest.raises(UsageError, match=r"shape \(39, 50\); the original's is \(40, 50\)"):
            measure(first, second[1:])
    with pytest.raises(UsageError, match="50x10 pixels; SSIM takes 11 a side"):
        ssim(first[:10], second[:10])


def test_the_shaved_border_does_not_count() -> None:
    image = _picture(1)
    other = image.copy()
    other[:4], other[-4:], other[:, :4], other[:, -4:] = 0, 0, 0, 0
    assert compare(image, other).psnr_rgb < 30
    inside = compare(image, other, shave_px=4)
    assert (inside.psnr_luma, inside.psnr_rgb) == (math.inf, math.inf)
    assert inside.ssim_luma == pytest.approx(1)


def test_a_grey_original_is_compared_by_its_levels_and_a_coloured_one_in_studio_range() -> None:
    image, grey = _picture(1), grey_to_rgb(_picture(1)[..., 0])
    brighter = grey // 2 + 3
    expected = psnr(grey[..., 0].astype(float), brighter[..., 0].astype(float))
    assert compare(grey, brighter).psnr_luma == pytest.approx(expected)
    assert compare(grey, brighter).psnr_rgb == pytest.approx(expected)
    expected = psnr(studio_luma(image), studio_luma(brighter))
    assert compare(image, brighter).psnr_luma == pytest.approx(expected)


def test_detail_is_1_where_nothing_is_lost_and_less_where_it_is_blurred() -> None:
    random = np.random.default_rng(1)
    image = random.integers(0, 256, (64, 64, 3), np.uint8)
    small = lanczos_resize(image, width=16, height=16)
    blurred = lanczos_resize(small, width=64, height=64)
    assert compare(image, image).band_ratios == (1, 1)
    finest, second = compare(image, blurred).band_ratios
    assert 0 < finest < second < 0.5
    flat = np.full_like(image, 9)
    assert np.isnan(compare(flat, flat).band_ratios).all()


def test_superres_gives_a_quarter_and_compares_what_is_cut_to_multiples_of_4(
    pictures: StoredSource,
) -> None:
    spy = _Spy(_repeated)
    scores = list(score_restorer(pictures, spy, task="superres"))
    assert spy.steps == ["superres"]
    assert [image.shape for image in spy.given] == [(11, 16, 3)] * 2
    assert [score.key for score in scores] == ["a", "b"]
    assert [list(score.fidelity) for score in scores] == [["bicubic", "lanczos", "restored"]] * 2
    assert all(score.input_megapixels == 11 * 16 / 1e6 for score in scores)
    first = scores[0].fidelity
    assert first["bicubic"].psnr_luma > first["restored"].psnr_luma


def test_lanczos_scores_as_the_lanczos_beside_it(pictures: StoredSource) -> None:
    for score in score_restorer(pictures, LanczosRestorer(), task="superres"):
        assert score.fidelity["restored"] == score.fidelity["lanczos"]


def test_jpeg_gives_grey_pictures_and_returns_their_own_scores_if_nothing_is_done(
    pictures: StoredSource,
) -> None:
    spy = _Spy(_repeated)
    scores = list(score_restorer(pictures, spy, task="jpeg"))
    assert spy.steps == ["jpeg"]
    assert all(is_grey(image) for image in spy.given)
    assert [score.quality for score in scores] == [10, 20, 30, 40] * 2
    for score in scores:
        assert score.fidelity["restored"] == score.fidelity["jpeg"]
    luma = [score.fidelity["jpeg"].psnr_luma for score in scores[:4]]
    assert luma == sorted(luma)


def test_what_undoes_the_jpeg_scores_infinitely(pictures: StoredSource) -> None:
    levels = np.floor(studio_luma(_picture(1)) + 0.5).astype(np.uint8)
    spy = _Spy(lambda _image, _scale: grey_to_rgb(levels))
    first = next(iter(score_restorer(pictures, spy, task="jpeg", qualities=[5])))
    assert first.fidelity["restored"].psnr_luma == math.inf
    assert first.fidelity["jpeg"].psnr_luma < 40


def test_jpeg_in_colour_compares_with_the_picture_itself(pictures: StoredSource) -> None:
    spy = _Spy(lambda _image, _scale: _picture(1))
    scores = score_restorer(pictures, spy, task="jpeg", qualities=[50], colour=True)
    fidelity = next(iter(scores)).fidelity
    assert not is_grey(spy.given[0])
    assert fidelity["restored"].psnr_rgb == math.inf
    assert fidelity["jpeg"].psnr_rgb < fidelity["jpeg"].psnr_luma


def test_faces_are_restored_by_both_steps_from_a_small_jpeg(pictures: StoredSource) -> None:
    spy = _Spy(_repeated)
    scores = list(score_restorer(pictures, spy, task="faces"))
    assert spy.steps == []
    assert {score.quality for score in scores} == {60}
    clean = _Spy(_repeated)
    list(score_restorer(pictures, clean, task="superres"))
    assert spy.given[0].shape == clean.given[0].shape
    assert not np.array_equal(spy.given[0], clean.given[0])


def test_means_are_by_quality_and_ratios_of_energy_geometric() -> None:
    def score(quality: int, level: float, ratio: float) -> PictureScore:
        fidelity = Fidelity(level, level / 100, level + 1, 0.5, (ratio, ratio))
        return PictureScore("x", quality, {"restored": fidelity}, 1.0, 2.0)

    flat = score(20, 30, math.nan)
    assert np.isnan(mean_scores([flat])[0].fidelity["restored"].band_ratios).all()
    (mean,) = mean_scores([flat, score(20, 30, 0.25), score(20, 30, 1)])
    assert mean.fidelity["restored"].band_ratios == pytest.approx((0.5, 0.5))
    (mean,) = mean_scores([score(20, 30, 0), score(20, 30, 1)])
    assert mean.fidelity["restored"].band_ratios == (0, 0)
    means = mean_scores([score(10, 20, 0.5), score(20, 30, 1), score(10, 30, 2)])
    assert [(mean.key, mean.quality) for mean in means] == [("mean of 2", 10), ("mean of 1", 20)]
    fidelity = means[0].fidelity["restored"]
    assert (fidelity.psnr_luma, fidelity.psnr_rgb) == (25, 26)
    assert fidelity.ssim_luma == pytest.approx(0.25)
    assert fidelity.band_ratios == pytest.approx((1, 1))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"task": "superres", "qualities": [10]}, "has no JPEG quality"),
        ({"task": "jpeg", "qualities": []}, "one or more of 1 to 100"),
        ({"task": "jpeg", "qualities": [0]}, "one or more of 1 to 100"),
        ({"task": "faces", "colour": True}, "colour is a choice of the task jpeg"),
    ],
)
def test_choices_that_make_no_sense_are_refused_at_once(
    pictures: StoredSource, options: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        score_restorer(pictures, LanczosRestorer(), **options)  # type: ignore[arg-type]


def test_a_picture_that_is_too_small_is_named(tmp_path: Path) -> None:
    (tmp_path / "tiny.png").write_bytes(encode_png(_picture(1, 19, 50)))
    with pytest.raises(DataError, match="tiny: 50x19 pixels; a score takes 20"):
        list(score_restorer(open_source(tmp_path), LanczosRestorer(), task="superres"))
    (tmp_path / "tiny.png").write_bytes(encode_png(_picture(1, 20, 50)))
    assert list(score_restorer(open_source(tmp_path), LanczosRestorer(), task="superres"))


def test_a_result_of_the_wrong_size_is_refused(pictures: StoredSource) -> None:
    spy = _Spy(lambda image, _scale: image)
    with pytest.raises(UsageError, match="shape"):
        list(score_restorer(pictures, spy, task="superres"))


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "decibels", "similarities"),
    [
        ("LIVE1", (27.77, 30.07, 31.41, 32.35), (0.7730, 0.8512, 0.8851, 0.9041)),
        ("classic5", (27.82, 30.12, 31.48, 32.43), (0.7595, 0.8344, 0.8666, 0.8849)),
    ],
)
def test_jpegs_score_as_in_the_published_tables(
    shared_data: Path, name: str, decibels: tuple[float, ...], similarities: tuple[float, ...]
) -> None:
    source = open_source(shared_data / "photos_test" / name)
    means = mean_scores(list(score_restorer(source, LanczosRestorer(), task="jpeg")))
    plain = [mean.fidelity["jpeg"] for mean in means]
    assert [jpeg.psnr_luma for jpeg in plain] == pytest.approx(decibels, abs=0.006)
    assert [jpeg.ssim_luma for jpeg in plain] == pytest.approx(similarities, abs=2e-4)


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "decibels", "similarity"), [("Set5", 28.42, 0.8104), ("Set14", 25.99, 0.7027)]
)
def test_bicubic_scores_as_in_the_published_tables(
    shared_data: Path, name: str, decibels: float, similarity: float
) -> None:
    source = open_source(shared_data / "photos_test" / name)
    (mean,) = mean_scores(list(score_restorer(source, LanczosRestorer(), task="superres")))
    assert mean.fidelity["bicubic"].psnr_luma == pytest.approx(decibels, abs=0.015)
    assert mean.fidelity["bicubic"].ssim_luma == pytest.approx(similarity, abs=1e-3)
