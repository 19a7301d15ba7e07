"""Degrading and comparing follow the protocols of the published tables, and give their numbers."""

import importlib.util
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import PIL.Image
import pytest

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.imaging import Box, encode_png, grey_to_rgb, is_grey, lanczos_resize, studio_luma
from pgan_toolkit.restoration import LanczosRestorer
from pgan_toolkit.restoration.fidelity import Fidelity
from pgan_toolkit.restoration.scoring import (
    PictureScore,
    mean_scores,
    score_restorer,
    stored_in_colour,
)
from pgan_toolkit.storage import StoredSource, open_source


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


def test_a_quality_that_is_named_twice_counts_once(pictures: StoredSource) -> None:
    scores = score_restorer(pictures, LanczosRestorer(), task="jpeg", qualities=[40, 10, 40])
    assert [score.quality for score in scores] == [40, 10] * 2


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
    assert mean.fidelity["restored"].band_ratios == pytest.approx((0, 0))
    means = mean_scores([score(10, 20, 0.5), score(20, 30, 1), score(10, 30, 2)])
    assert [(mean.key, mean.quality) for mean in means] == [("mean of 2", 10), ("mean of 1", 20)]
    fidelity = means[0].fidelity["restored"]
    assert (fidelity.psnr_luma, fidelity.psnr_rgb) == (25, 26)
    assert fidelity.ssim_luma == pytest.approx(0.25)
    assert fidelity.band_ratios == pytest.approx((1, 1))


def test_a_grey_picture_in_three_channels_is_compared_in_studio_range(tmp_path: Path) -> None:
    levels = _picture(2)[..., 0]
    PIL.Image.fromarray(levels).save(tmp_path / "one.png")
    PIL.Image.fromarray(grey_to_rgb(levels)).save(tmp_path / "three.PNG")
    source = open_source(tmp_path)
    coloured = stored_in_colour(source)
    assert coloured == {"three"}
    spy = _Spy(_repeated)
    for task in ("superres", "jpeg"):
        one, three = (
            score.fidelity["restored"]
            for score in score_restorer(
                source,
                spy,
                task=task,
                coloured=coloured,
                qualities=[90] if task == "jpeg" else None,
            )
        )
        # 219 levels in place of 255; of a JPEG that is what was compressed.
        gain = 20 * math.log10(255 / 219) if task == "superres" else 0
        assert three.psnr_luma - one.psnr_luma == pytest.approx(gain, abs=1e-6 if gain else 1)
        assert (three.psnr_luma == three.psnr_rgb) is (task == "jpeg")


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


@pytest.fixture(scope="module")
def benchmark_script() -> ModuleType:
    script = Path(__file__).parents[2] / "benchmarks" / "restoration.py"
    spec = importlib.util.spec_from_file_location("restoration_benchmark", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_benchmark_fails_on_missed_floors_after_it_has_written_its_result(
    benchmark_script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("LIVE1", "classic5", "Set5", "Set14"):
        (tmp_path / name).mkdir()
        # Noise is beyond all restorers; a plane of one colour comes through whole.
        noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
        image = np.full_like(noise, 128) if name == "Set14" else noise
        (tmp_path / name / "a.png").write_bytes(encode_png(image))
    report = tmp_path / "result.json"
    words = ["--photos", tmp_path, "--psnr", "lanczos", "--device", "cpu", "--json", report]
    monkeypatch.setattr(
        "sys.argv", ["restoration.py", *map(str, words), "--parts", "jpeg", "superres"]
    )
    with pytest.raises(SystemExit) as stop:
        benchmark_script.main()
    told = capsys.readouterr().out
    assert told.count("LIVE1, quality") == 4
    assert "floor 28.90: NOT REACHED" in told
    assert "Set14, psnr: inf, floor 27.70: reached" in told
    assert "to be above bicubic's 28.42: NOT REACHED" in told
    assert str(stop.value.code).count("\n") == 6  # four qualities and Set5 twice
    result = json.loads(report.read_text())
    assert [row["quality"] for row in result["jpeg"]["LIVE1"]] == [10, 20, 30, 40]
    assert set(result["superres"]) == {"psnr", "adversarial"}


@pytest.mark.parametrize(
    ("kind", "gain", "ratios", "missed"),
    [
        ("psnr", 1.0, (0.1, 0.1), 0),
        ("psnr", 0.99, (1.0, 1.0), 1),
        ("adversarial", -3.0, (1.9, 0.6), 0),
        ("adversarial", 3.0, (2.1, 0.6), 1),  # as far as less than a half
        ("adversarial", 3.0, (0.0, math.nan), 2),
    ],
)
def test_the_benchmark_judges_portraits_by_gain_or_by_detail(
    benchmark_script: ModuleType, kind: str, gain: float, ratios: tuple[float, float], missed: int
) -> None:
    ways = {
        "lanczos": Fidelity(30.0, 0.5, 30.0, 0.5, (0.5, 0.5)),
        "restored": Fidelity(30.0 + gain, 0.5, 30.0, 0.5, ratios),
    }
    subject = benchmark_script.Subject(Path(), None, {})
    benchmark_script.judge_faces(subject, kind, PictureScore("x", 60, ways, 1.0, 1.0))
    assert len(subject.missed) == missed


@pytest.mark.slow
@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "decibels", "similarities"),
    [
        ("LIVE1", (27.77, 30.07), (0.7730, 0.8512)),
        ("classic5", (27.82, 30.12, 31.48, 32.43), (0.7595, 0.8344, 0.8666, 0.8849)),
    ],
)
def test_jpegs_score_as_in_the_published_tables(
    shared_data: Path, name: str, decibels: tuple[float, ...], similarities: tuple[float, ...]
) -> None:
    source = open_source(shared_data / "photos_test" / name)
    qualities = (10, 20, 30, 40)[: len(decibels)]
    scores = score_restorer(source, LanczosRestorer(), task="jpeg", qualities=qualities)
    means = mean_scores(list(scores))
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
    coloured = stored_in_colour(source)
    scores = score_restorer(source, LanczosRestorer(), task="superres", coloured=coloured)
    (mean,) = mean_scores(list(scores))
    assert mean.fidelity["bicubic"].psnr_luma == pytest.approx(decibels, abs=0.015)
    assert mean.fidelity["bicubic"].ssim_luma == pytest.approx(similarity, abs=1e-3)
