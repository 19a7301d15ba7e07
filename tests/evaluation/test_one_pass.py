"""Every picture is read and decoded once, for all metrics and the page, while others compute."""

import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluated_sets import COUNT, Counting, pictures, write_set

from pgan_toolkit.errors import DataError
from pgan_toolkit.evaluation import (
    EvaluationSettings,
    ImageStream,
    StatisticsCache,
    StreamSettings,
    evaluate,
    feed,
)
from pgan_toolkit.evaluation.pages import PageLook, report_html
from pgan_toolkit.storage.base import StoredSource

QUIET = EvaluationSettings(mode="quiet", device="cpu", seed=3)
FEATURE_METRICS = ["fid", "kid", "precision-recall", "inception-score"]


@pytest.mark.usefixtures("small_inception")
def test_every_picture_is_decoded_once() -> None:
    real, fake = Counting(pictures(0)), Counting(pictures(5))
    evaluate(real, fake, metrics=["swd", "ms-ssim", *FEATURE_METRICS], settings=QUIET)
    for source in (real, fake):
        # The first is looked at for its size, before anything is decided.
        assert source.read == Counter({**dict.fromkeys(range(COUNT), 1), 0: 2})


def test_pictures_that_no_metric_takes_are_not_read() -> None:
    real, fake, look = Counting(pictures(0)), Counting(pictures(5, COUNT // 2)), PageLook()
    settings = replace(QUIET, onlooker=look)
    report = evaluate(real, fake, metrics=["swd"], settings=settings)
    used = ImageStream(real, settings.stream(None)).take(COUNT // 2).indices
    assert set(real.read) == {0, *used}  # the first is looked at for its size
    assert (report.real["images"], report.real["chosen_by_seed"]) == (COUNT // 2, QUIET.seed)
    assert report.real["sha256"] is not None
    assert any("20 of its 40 images" in text for text in report.warnings)
    fake.read.clear()
    evaluate(fake, real, metrics=["swd"], settings=settings)
    assert set(fake.read) == set(range(COUNT // 2))


@pytest.mark.usefixtures("small_inception")
def test_what_the_cache_knows_is_not_decoded_for_another_metric(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgan_toolkit.evaluation.content import decode_image

    decoded: set[str] = set()

    def noted(data: bytes, *, name: str) -> np.ndarray:
        decoded.add(name)
        return decode_image(data, name=name)

    fake = write_set(tmp_path / "few", pictures(5, COUNT // 2))
    cache = StatisticsCache(tmp_path / "cache")
    first = evaluate(two_sets[0], fake, metrics=["fid"], settings=QUIET, cache=cache)
    monkeypatch.setattr("pgan_toolkit.evaluation.content.decode_image", noted)
    both = evaluate(two_sets[0], fake, metrics=["swd", "fid"], settings=QUIET, cache=cache)
    used = ImageStream(two_sets[0], QUIET.stream(None)).take(COUNT // 2).indices
    reals = {Path(name).name for name in decoded if str(two_sets[0]) in name}
    assert reals == {f"{index:03d}.png" for index in {0, *used}}
    assert (both.real, both.scores["fid"]) == (first.real, first.scores["fid"])


@pytest.mark.usefixtures("small_inception")
def test_a_page_has_no_picture_read_again() -> None:
    real, fake, look = Counting(pictures(0)), Counting(pictures(5)), PageLook()
    settings = replace(QUIET, onlooker=look)
    report = evaluate(real, fake, metrics=["swd", *FEATURE_METRICS], settings=settings)
    assert report_html(report, look).count(b"<img") > 60
    for source in (real, fake):
        assert source.read == Counter({**dict.fromkeys(range(COUNT), 1), 0: 2})


@pytest.mark.slow
def test_a_page_is_the_same_whether_its_real_side_was_known_or_not(
    two_sets: tuple[Path, Path], tmp_path: Path
) -> None:
    cache = StatisticsCache(tmp_path / "cache")
    pages = []
    for _ in range(2):
        look = PageLook()
        report = evaluate(
            *two_sets, metrics=["swd"], settings=replace(QUIET, onlooker=look), cache=cache
        )
        pages.append(report_html(replace(report, created="", seconds=0, memory_mib=0), look))
    assert len(look.real.statistics.pictures) == 0
    assert pages[0] == pages[1]


def test_files_are_read_once_where_the_cache_cannot_know_them(
    two_sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[str] = Counter()
    encoded = StoredSource.encoded

    def noted(source: StoredSource, index: int) -> bytes | None:
        read[source.name(index)] += 1
        return encoded(source, index)

    monkeypatch.setattr(StoredSource, "encoded", noted)
    cache = StatisticsCache(tmp_path / "cache")
    evaluate(*two_sets, metrics=["swd"], settings=QUIET, cache=cache)
    times = Counter({Path(name).name: n for name, n in read.items() if "real" in name})
    assert len(times) == COUNT
    # The first for its size, and both ends to ask the cache whether it may know the set.
    assert [name for name, n in times.items() if n > 1] == ["000.png", f"{COUNT - 1:03d}.png"]


def test_the_next_pictures_are_decoded_while_a_batch_is_computed_with() -> None:
    source = Counting(pictures(0))
    decoded_ahead = []

    class Waiting:
        """Computes until the whole next batch is decoded, or for a minute."""

        def update(self, images: object, *, first: int | None = None) -> None:
            wanted = min((first or 0) + 2 * 8, COUNT)
            end = time.monotonic() + 60
            while len(source.read) < wanted and time.monotonic() < end:
                time.sleep(0.01)
            decoded_ahead.append(len(source.read) >= wanted)

        def merge(self, other: object) -> None:
            """Nothing is kept."""

    how = StreamSettings(batch_size=8, workers=2, mode="quiet")
    feed(ImageStream(source, how), Waiting())
    assert decoded_ahead == [True] * (COUNT // 8)


def test_what_a_page_would_say_is_wrong_is_said_without_one(tmp_path: Path) -> None:
    real, dark = pictures(0), pictures(5) // 2
    look = PageLook()
    settings = replace(QUIET, onlooker=look)
    said = evaluate(Counting(real), Counting(dark), metrics=["ms-ssim"], settings=settings).findings
    assert said is not None
    assert any("The fake pictures are darker." in text for text in said)
    again = evaluate(Counting(real), Counting(real), metrics=["ms-ssim"], settings=settings)
    assert not any("darker" in text for text in again.findings or ())


def test_an_onlooker_does_not_hide_which_picture_has_another_size(tmp_path: Path) -> None:
    real = write_set(tmp_path / "real", pictures(0, 6))
    fake = write_set(tmp_path / "fake", pictures(1, 5))
    write_set(fake, pictures(2, 1, size=64), first=5)
    settings = replace(QUIET, onlooker=PageLook())
    with pytest.raises(DataError, match=r"005\.png: 64x64 pixels, where .*000\.png has 32x32"):
        evaluate(real, fake, metrics=["ms-ssim"], settings=settings)
