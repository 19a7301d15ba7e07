"""One pass gives the numbers that each metric gives alone, and reads each picture once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluated_sets import COUNT, pictures, small_extractor, write_set

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.evaluation import (
    EvaluationSettings,
    ImageStream,
    Report,
    StatisticsCache,
    StreamSettings,
    evaluate,
    measure_fid,
    measure_inception_score,
    measure_kid,
    measure_ms_ssim,
    measure_precision_recall,
    measure_swd,
)
from pgan_toolkit.evaluation.comparing import METRICS, SCORES, catalogue
from pgan_toolkit.metrics import Result
from pgan_toolkit.metrics.descriptors import SwdSettings

QUIET = EvaluationSettings(mode="quiet", device="cpu", seed=3)
FEATURE_METRICS = ["fid", "kid", "precision-recall", "inception-score"]


def streams(two_sets: tuple[Path, Path], images: int | None) -> list[ImageStream]:
    how = StreamSettings(images=images, seed=QUIET.seed, mode="quiet")
    return [ImageStream(path, how) for path in two_sets]


def without_errors(result: Result) -> Result:
    """A result without its uncertainty, which an evaluation takes over the choice of images."""
    parts = {name: value for name, value in result.components.items() if name != "extrapolated"}
    return replace(
        result, components=parts, component_errors={}, standard_error=None, interval=None,
        uncertainty="", repeats={}, seed=None,
    )  # fmt: skip


@pytest.mark.parametrize("images", [None, 17])
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.usefixtures("small_inception")
def test_every_number_is_that_of_the_metric_alone(
    two_sets: tuple[Path, Path], images: int | None, cached: bool, tmp_path: Path
) -> None:
    names = ["swd", "ms-ssim", *FEATURE_METRICS]
    cache = StatisticsCache(tmp_path / "cache") if cached else None
    for _ in range(2 if cached else 1):
        report = evaluate(*two_sets, metrics=names, images=images, settings=QUIET, cache=cache)
    assert list(report.measured) == names
    extractor = small_extractor()
    real, fake = streams(two_sets, images)
    swd = measure_swd(real, [fake], settings=SwdSettings(seed=QUIET.seed)).fakes[0]
    alone = {
        "swd": swd,
        "ms-ssim": measure_ms_ssim(streams(two_sets, images)[1]),
        "fid": measure_fid(*streams(two_sets, images), extractor=extractor).result,
        "kid": measure_kid(*streams(two_sets, images), extractor=extractor),
        "precision-recall": measure_precision_recall(
            *streams(two_sets, images), extractor=extractor
        ),
        "inception-score": measure_inception_score(
            streams(two_sets, images)[1], extractor=extractor
        ),
    }
    for name in names:
        assert without_errors(report.measured[name].result) == without_errors(alone[name]), name


def test_metrics_of_fewer_pictures_take_those_that_they_would_take_alone(
    two_sets: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a set has more pictures than one protocol takes, and fewer than another."""
    few = {"real": 11, "fake": 11}
    kinds = {**METRICS, "swd": catalogue.MetricKind(needs="pixels", images=few)}
    for module in ("parts", "evaluating", "catalogue"):
        monkeypatch.setattr(f"pgan_toolkit.evaluation.comparing.{module}.METRICS", kinds)
    settings = EvaluationSettings(mode="quiet", device="cpu", seed=3, batch_size=4)
    report = evaluate(*two_sets, metrics=["swd", "ms-ssim"], settings=settings)
    real, fake = streams(two_sets, 11)
    alone = measure_swd(real, [fake], settings=SwdSettings(seed=3)).fakes[0]
    assert without_errors(report.measured["swd"].result) == without_errors(alone)
    assert report.measured["ms-ssim"].result == measure_ms_ssim(streams(two_sets, None)[1])


@pytest.mark.usefixtures("small_inception")
def test_the_real_side_is_not_decoded_again(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = StatisticsCache(tmp_path / "cache")
    first = evaluate(*two_sets, metrics=["swd", "fid"], settings=QUIET, cache=cache)
    decoded: list[str] = []
    place = "pgan_toolkit.evaluation.content.decode_image"
    from pgan_toolkit.evaluation.content import decode_image

    def noted(data: bytes, *, name: str) -> np.ndarray:
        decoded.append(name)
        return decode_image(data, name=name)

    monkeypatch.setattr(place, noted)
    second = evaluate(*two_sets, metrics=["swd", "fid"], settings=QUIET, cache=cache)
    assert second.scores == first.scores
    assert sum(str(two_sets[0]) in name for name in decoded) == 1  # the first, for its size
    assert sum(str(two_sets[1]) in name for name in decoded) >= COUNT


def test_a_picture_that_changed_is_seen_in_spite_of_the_cache(
    two_sets: tuple[Path, Path], tmp_path: Path
) -> None:
    cache = StatisticsCache(tmp_path / "cache")
    first = evaluate(*two_sets, metrics=["swd"], settings=QUIET, cache=cache)
    write_set(two_sets[0], pictures(99, 3))
    second = evaluate(*two_sets, metrics=["swd"], settings=QUIET, cache=cache)
    fresh = evaluate(*two_sets, metrics=["swd"], settings=QUIET)
    assert second.scores == fresh.scores
    assert second.scores != first.scores


def test_without_weights_what_needs_none_is_measured_and_the_rest_said(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGAN_TOOLKIT_CACHE", str(tmp_path / "nothing"))
    monkeypatch.delenv("PGAN_TOOLKIT_WEIGHTS", raising=False)
    report = evaluate(*two_sets, settings=QUIET)
    assert list(report.scores) == ["swd.avg", "swd.32", "swd.16", "ms-ssim"]
    assert list(report.skipped) == FEATURE_METRICS
    assert all("not at hand" in reason for reason in report.skipped.values())


def test_a_folder_of_weights_that_is_none_is_told(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGAN_TOOLKIT_WEIGHTS", str(tmp_path / "none"))
    reason = evaluate(*two_sets, images=4, settings=QUIET).skipped["fid"]
    assert f"not at hand: PGAN_TOOLKIT_WEIGHTS={tmp_path / 'none'}: not a folder" in reason
    assert "name the metric" not in reason


def test_scores_say_which_is_better_and_where_they_come_from(two_sets: tuple[Path, Path]) -> None:
    report = evaluate(*two_sets, metrics=["swd"], settings=QUIET)
    average, level = report.scores["swd.avg"], report.scores["swd.32"]
    result = report.measured["swd"].result
    assert (average.value, average.standard_error) == (result.value, result.standard_error)
    assert (level.value, level.standard_error) == (
        result.components["32"],
        result.component_errors["32"],
    )
    assert result.uncertainty == "10 disjoint groups of the images of both sides"
    for score in (average, level):
        error = np.std(score.repeats, ddof=1) / np.sqrt(10)
        assert error == pytest.approx(score.standard_error)
    assert (average.headline, level.headline, average.better) == (True, False, "lower")


def test_too_few_images_for_groups_have_no_error(two_sets: tuple[Path, Path]) -> None:
    score = evaluate(*two_sets, metrics=["swd"], images=11, settings=QUIET).scores["swd.avg"]
    assert (score.standard_error, score.repeats) == (None, ())
    drawn = replace(QUIET, bootstrap=3)
    report = evaluate(*two_sets, metrics=["swd"], images=11, settings=drawn)
    assert report.scores["swd.avg"].standard_error is not None
    assert report.measured["swd"].result.interval is not None


def test_modes_are_counted_when_asked_for(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    two_sets = [
        write_set(tmp_path / side, random.integers(0, 256, (6, 28, 28, 3), dtype=np.uint8))
        for side in ("real", "fake")
    ]
    report = evaluate(*two_sets, metrics=["modes"], settings=QUIET)
    assert list(report.scores) == ["modes.count", "modes.kl"]
    assert 1 <= report.scores["modes.count"].value <= 6
    assert report.measured["modes"].deviations == ("fake: 6 of 256,000 images",)


def mixed(folder: Path) -> Path:
    write_set(folder, pictures(1, 8))
    return write_set(folder, pictures(2, 8, size=48), first=8)


@pytest.mark.usefixtures("small_inception")
def test_a_set_of_several_sizes_is_measured_by_what_takes_it(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pgan_toolkit.evaluation.comparing.selecting.find_weights", lambda *_, **__: Path()
    )
    report = evaluate(two_sets[0], mixed(tmp_path / "mixed"), settings=QUIET)
    assert list(report.measured) == FEATURE_METRICS
    assert set(report.skipped) == {"swd", "ms-ssim"}
    assert "32x32 and of 48x48" in report.skipped["swd"]


@pytest.mark.usefixtures("small_inception")
def test_what_is_left_out_does_not_depend_on_the_cache(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pgan_toolkit.evaluation.comparing.selecting.find_weights", lambda *_, **__: Path()
    )
    write_set(two_sets[0], pictures(2, 1, size=48), first=COUNT - 1)
    cache = StatisticsCache(tmp_path / "cache")
    first, second = (evaluate(*two_sets, settings=QUIET, cache=cache) for _ in range(2))
    assert list(first.measured) == ["ms-ssim", *FEATURE_METRICS]
    assert list(first.skipped) == ["swd"]
    assert "32x32 and of 48x48" in first.skipped["swd"]
    assert (second.measured, second.skipped) == (first.measured, first.skipped)
    assert (second.real, second.fake) == (first.real, first.fake)


def test_a_metric_of_the_fakes_is_measured_though_the_reals_have_several_sizes(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGAN_TOOLKIT_CACHE", str(tmp_path / "nothing"))
    monkeypatch.delenv("PGAN_TOOLKIT_WEIGHTS", raising=False)
    real = mixed(tmp_path / "mixed")
    report = evaluate(real, two_sets[1], settings=QUIET)
    assert (list(report.measured), list(report.skipped)) == (["ms-ssim"], [*FEATURE_METRICS, "swd"])
    with pytest.raises(DataError, match=r"008\.png: 48x48 pixels, where .*000\.png has 32x32"):
        evaluate(real, real, settings=QUIET)  # nothing would be left


@pytest.mark.usefixtures("small_inception")
def test_a_picture_that_a_metric_does_not_take_cannot_stop_it(
    two_sets: tuple[Path, Path],
) -> None:
    real, _ = streams(two_sets, None)
    unused = next(index for index in real.indices if index not in real.take(COUNT // 2).indices)
    write_set(two_sets[0], pictures(2, 1, size=48), first=unused)
    fake = write_set(two_sets[1].with_name("few"), pictures(5, COUNT // 2))
    report = evaluate(two_sets[0], fake, metrics=["swd", "fid"], settings=QUIET)
    alone = measure_swd(
        ImageStream(two_sets[0], StreamSettings(seed=QUIET.seed, mode="quiet")),
        [ImageStream(fake, StreamSettings(seed=QUIET.seed, mode="quiet"))],
        settings=SwdSettings(seed=QUIET.seed),
    )
    assert report.scores["swd.avg"].value == alone.fakes[0].value
    assert report.real["sizes"] == {"32x32": COUNT - 1, "48x48": 1}


def test_a_set_of_several_sizes_is_refused_by_a_metric_that_was_asked_for(
    two_sets: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="48x48"):
        evaluate(two_sets[0], mixed(tmp_path / "mixed"), metrics=["swd"], settings=QUIET)


def test_what_no_metric_can_take_is_an_error_that_says_why(tmp_path: Path) -> None:
    tiny = [write_set(tmp_path / side, pictures(0, 4, size=8)) for side in ("real", "fake")]
    with pytest.raises(DataError, match=r"no metric can be measured: swd: .*16 or more"):
        evaluate(*tiny, settings=QUIET)
    with pytest.raises(DataError, match="16 or more"):
        evaluate(*tiny, metrics=["swd"], settings=QUIET)


def test_a_metric_that_refuses_the_sets_is_left_out_unless_asked_for(tmp_path: Path) -> None:
    real, fake = (write_set(tmp_path / side, pictures(0, 1)) for side in ("real", "fake"))
    report: Report = evaluate(real, fake, settings=QUIET)
    assert list(report.measured) == ["swd"]
    assert "1 image; ms-ssim takes 2 or more" in report.skipped["ms-ssim"]
    with pytest.raises(DataError, match="ms-ssim takes 2"):
        evaluate(real, fake, metrics=["ms-ssim"], settings=QUIET)


@pytest.mark.parametrize(
    ("metrics", "message"),
    [(["swdd"], r"'swdd'.*did you mean swd\?"), ([], "none"), (["swd", "FID"], "'FID'")],
)
def test_names_that_are_no_metrics_are_refused(
    two_sets: tuple[Path, Path], metrics: list[str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        evaluate(*two_sets, metrics=metrics, settings=QUIET)


def test_every_number_has_a_metric() -> None:
    assert {kind.metric for kind in SCORES.values()} == set(METRICS)


@pytest.mark.parametrize("metric", ["ms-ssim", *FEATURE_METRICS])
@pytest.mark.usefixtures("small_inception")
def test_fewer_pictures_than_a_metric_takes_are_told_before_the_work(
    two_sets: tuple[Path, Path], metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewest = METRICS[metric].fewest
    report = evaluate(*two_sets, metrics=[metric], images=fewest, settings=QUIET)
    assert set(report.measured) == {metric}

    def never(*_: object, **__: object) -> None:
        raise AssertionError("networks were opened")

    monkeypatch.setattr("pgan_toolkit.evaluation.comparing.evaluating.open_tools", never)
    with pytest.raises(DataError, match=f"{fewest - 1} images?; {metric} takes {fewest} or more"):
        evaluate(*two_sets, metrics=[metric], images=fewest - 1, settings=QUIET)
