"""The page of an evaluation: what stands on it, that it is whole, and that names stay names."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from html_checks import check_page
from page_sets import HOSTILE, a_report, blurred, scenes, write_pictures

from pgan_toolkit.errors import UsageError
from pgan_toolkit.evaluation import ImageStream, StreamSettings
from pgan_toolkit.evaluation.comparing import Report
from pgan_toolkit.evaluation.pages import look_at, page_sample, report_html, write_html
from pgan_toolkit.evaluation.pages.figures import history_charts, swd_chart
from pgan_toolkit.evaluation.pages.numbers import numbers_table

QUIET = StreamSettings(mode="quiet", workers=1)


def _streams(folder: Path, fake: np.ndarray, *, name: str = "") -> tuple[ImageStream, ImageStream]:
    real = write_pictures(folder / "real", scenes(0, len(fake)), name=name)
    return ImageStream(real, QUIET), ImageStream(write_pictures(folder / "fake", fake), QUIET)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    real, fake = _streams(tmp_path_factory.mktemp("sets"), blurred(scenes(1, 40)))
    return report_html(a_report(), look_at(real, fake), command="pgan-toolkit evaluate 'a b'")


def test_it_is_one_whole_page(page: bytes) -> None:
    read = check_page(page)
    levels = [attributes["id"] for tag, attributes in read.elements if tag == "h2"]
    assert levels == [
        "verdicts", "findings", "numbers", "swd", "spectrum", "colours", "samples", "neighbours",
        "typical", "missing", "history", "protocol",
    ]  # fmt: skip


def test_verdicts_come_first_in_words(page: bytes) -> None:
    text = check_page(page).text
    assert text.index("✗ Failed: 1 of 1 condition not met.") < text.index("What is wrong with")
    assert "✗ fail swd.avg" in " ".join(text.split())


def test_it_says_what_is_wrong_and_how_the_protocol_was_not_followed(page: bytes) -> None:
    text = check_page(page).text
    assert "The fake pictures are blurred: they lack fine detail." in text
    assert "40 images: the protocol takes 16,384" in text
    assert "no weights" in text


def test_numbers_uncertainty_baseline_paper_and_protocol_stand_on_it(page: bytes) -> None:
    text = " ".join(check_page(page).text.split())
    for expected in (
        "swd.avg 9.5000 0.3000 9 to 10 lower 40 40 9 +0.5 (within the error)",
        "Paper: CelebA 128x128, best configuration (Table 1 h)",
        "swd.16 7 4.9900 8.7300 4.8700 7.2200",
        "Command pgan-toolkit evaluate 'a b'",
        "abab",
        "cdcd",
        "swd.avg over time",
    ):
        assert expected in text


def test_it_shows_as_many_real_as_fake_samples(page: bytes) -> None:
    alts = [image["alt"] or "" for image in check_page(page).all("img")]
    assert sum(alt.startswith("real") for alt in alts) == 20 + 7 * 5 + 10
    assert sum(alt.startswith("fake") for alt in alts) == 20 + 7 + 10 + 10


@pytest.mark.parametrize("hostile", [HOSTILE, "\"'><img src=x onerror=alert(1)>", "{{ 7 * 7 }}"])
def test_no_text_becomes_markup(tmp_path: Path, hostile: str) -> None:
    name = hostile.replace("/", "-")
    real, fake = _streams(tmp_path, scenes(1, 8), name=name)
    read = check_page(report_html(a_report(hostile=hostile), look_at(real, fake), command=hostile))
    assert read.text.count(hostile) >= 8
    assert any(name in (image["alt"] or "") for image in read.all("img"))


def test_marks_that_turn_the_text_around_stay_within_their_name(tmp_path: Path) -> None:
    real, fake = _streams(tmp_path, scenes(1, 8), name="\u202egnp.exe")
    page = report_html(a_report(), look_at(real, fake)).decode()
    assert "<figcaption><bdi>000\u202egnp.exe</bdi>" in page


@pytest.mark.parametrize("count", [1, 3, 7])
def test_sets_of_few_pictures_have_a_page(tmp_path: Path, count: int) -> None:
    real, fake = _streams(tmp_path, scenes(1, count))
    report = replace(a_report(), verdicts=(), scores={}, measured={}, baseline=None)
    text = check_page(report_html(report, look_at(real, fake))).text
    assert "No conditions were given" in text
    assert "Not looked for: it takes 8 pictures a side or more." in text
    assert "Nothing that these rules look for." not in text


def test_pictures_of_several_sizes_have_a_page(tmp_path: Path) -> None:
    real, _ = _streams(tmp_path, scenes(1, 8))
    write_pictures(tmp_path / "fake" / "large", scenes(2, 1, size=300))
    check_page(report_html(a_report(), look_at(real, ImageStream(tmp_path / "fake", QUIET))))


def test_a_sample_is_bounded_and_equal_on_both_sides(tmp_path: Path) -> None:
    real, fake = _streams(tmp_path, scenes(1, 9))
    both = page_sample(real, fake.take(5))
    assert [len(each) for each in both] == [5, 5]


def test_it_is_written_and_a_device_is_refused(tmp_path: Path) -> None:
    real, fake = _streams(tmp_path, scenes(1, 8))
    write_html(a_report(), tmp_path / "page.html", look_at(real, fake))
    check_page((tmp_path / "page.html").read_bytes())
    with pytest.raises(UsageError, match="device"):
        write_html(a_report(), Path("/dev/null"), look_at(real, fake))


def test_the_same_report_gives_the_same_page(tmp_path: Path) -> None:
    real, fake = _streams(tmp_path, scenes(1, 8))
    pages = {report_html(a_report(), look_at(real, fake)) for _ in range(2)}
    assert len(pages) == 1


def test_a_change_beyond_what_was_judged_is_named_and_failures_come_first(tmp_path: Path) -> None:
    real, fake = _streams(tmp_path, scenes(1, 12))
    report = a_report()
    [failed] = report.verdicts
    verdicts = (
        replace(failed, status="pass", message="first given"),
        replace(failed, kind="baseline", margin=0.4),
    )
    text = " ".join(
        check_page(
            report_html(replace(report, verdicts=verdicts), look_at(real, fake))
        ).text.split()
    )
    assert "+0.5 (worse)" in text
    assert text.index("✗ fail swd.avg") < text.index("first given")


def _changes(report: Report) -> dict[str, str]:
    return {row[0].text: row[-1].text for row in numbers_table(report).rows}


def _judged(*, status: str, margin: float | None) -> Report:
    report = a_report()
    verdict = replace(report.verdicts[0], kind="baseline", status=status, margin=margin)
    return replace(report, verdicts=(verdict,))


def test_a_tolerance_of_zero_is_a_margin() -> None:
    assert _changes(_judged(status="fail", margin=0.0))["swd.avg"] == "+0.5 (worse)"


def test_what_is_not_comparable_has_no_change() -> None:
    changes = _changes(_judged(status="not comparable", margin=None))
    assert changes == {"swd.avg": "not comparable", "swd.32": "not comparable", "swd.16": "0"}


def test_what_is_not_comparable_is_not_drawn_beside_it() -> None:
    alike, unlike = a_report(), _judged(status="not comparable", margin=None)
    drawn, alone = swd_chart(alike), swd_chart(unlike)
    assert drawn is not None
    assert alone is not None
    assert "baseline" in drawn.svg
    assert "baseline" not in alone.svg
    assert len(history_charts(alike, history=())) == 1 + len(history_charts(unlike, history=()))


@pytest.mark.parametrize(
    ("tolerance", "word"),
    [("2se", "within the error"), ("1se", "worse"), ("10%", "within the error"), ("0.9", "worse")],
)
def test_a_level_is_held_against_the_error_of_a_difference(tolerance: str, word: str) -> None:
    """12 after 11, each with an error of 0.5: the difference has one of 0.71."""
    report = _judged(status="fail", margin=0.4)
    assert report.baseline is not None
    report = replace(report, baseline=replace(report.baseline, tolerance=tolerance))
    assert _changes(report)["swd.32"] == f"+1 ({word})"


def test_a_level_whose_error_is_not_known_says_so() -> None:
    report = _judged(status="fail", margin=0.4)
    level = replace(report.scores["swd.32"], standard_error=None)
    report = replace(report, scores={**report.scores, "swd.32": level})
    assert _changes(report)["swd.32"] == "+1 (its error is not known)"
