"""The page of a build: the cut, the pictures around it, and why photographs failed."""

from dataclasses import replace
from pathlib import Path

import pytest
from html_checks import PageReader, check_page

from pgan_toolkit.celebahq import BuildSettings, BuildSummary, Ledger, build_dataset, build_html

FAILURES = 8


@pytest.fixture(scope="module")
def built(
    samples: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[BuildSettings, BuildSummary]:
    """A finished build of 24; not to be changed."""
    settings = BuildSettings(
        src=samples, out=tmp_path_factory.mktemp("built") / "hq.zip", count=24, size=64,
        workers=1, restorer="lanczos",
    )  # fmt: skip
    return settings, build_dataset(settings, mode="quiet")


@pytest.fixture(scope="module")
def page(built: tuple[BuildSettings, BuildSummary]) -> PageReader:
    return check_page(build_html(*built, command="pgan-toolkit build-celebahq"))


def _scores(settings: BuildSettings, verdict: str) -> dict[str, float]:
    with Ledger(settings.out.with_name("hq.zip.build") / "ledger.sqlite") as ledger:
        return {
            row.key: row.score or 0.0 for each, row in ledger.judged() if each.verdict == verdict
        }


def test_the_cut_lies_between_what_was_kept_and_what_was_not(
    built: tuple[BuildSettings, BuildSummary], page: PageReader
) -> None:
    kept, rejected = (_scores(built[0], name) for name in ("kept", "rejected"))
    assert rejected
    cut = (min(kept.values()) + max(rejected.values())) / 2
    assert f"cut {cut:.2f}" in page.text
    assert "24 of 38 photographs kept." in page.text


def test_pictures_of_both_sides_of_the_cut_are_shown(
    built: tuple[BuildSettings, BuildSummary], page: PageReader
) -> None:
    alts = {image["alt"] for image in page.all("img")}
    kept, rejected = (list(_scores(built[0], name)) for name in ("kept", "rejected"))
    for key in (kept[0], kept[-1], rejected[0], rejected[-1]):
        assert f"crop {key}" in alts
    assert "Borderline: just rejected" in page.text


def test_failures_are_counted_by_reason_and_told_in_full(page: PageReader) -> None:
    assert "Failures by reason" in page.text
    assert "not_a_picture" in page.text
    assert "Identical to" in page.text


def test_the_protocol_stands_on_it(page: PageReader) -> None:
    text = " ".join(page.text.split())
    assert "Command pgan-toolkit build-celebahq" in text
    assert "restorer lanczos" in text
    assert "What scores depend on" in text


def test_where_nothing_was_rejected_there_is_no_cut(samples: Path, tmp_path: Path) -> None:
    settings = BuildSettings(
        src=samples, out=tmp_path / "hq", size=64, workers=1, restorer="lanczos", select="all"
    )
    summary = build_dataset(settings, mode="quiet")
    read = check_page(build_html(settings, replace(summary, asked=500)))
    assert "cut" not in " ".join(svg["aria-label"] or "" for svg in read.all("svg"))
    assert "though 500 were asked for" in read.text
