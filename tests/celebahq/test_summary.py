"""What a build says at its end: for people, for programs, and as a table."""

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from pgan_toolkit.celebahq import BuildSummary, Ledger, Row, Verdict
from pgan_toolkit.celebahq.summary import summarize, write_table

SUMMARY = BuildSummary(
    out="hq", photographs=12_000, resumed=5, kept=3, rejected=2, duplicates=1, failed=7, asked=4,
    failures={"unreadable": 6, "no picture": 1}, reasons=("a.jpg: empty", "b.jpg: cut"),
    seconds={"decode": 6.0, "render": 24.0}, wall_seconds=31.25,
)  # fmt: skip
SCORED = Row(
    key="b", photograph="b", file="b.jpg", status="scored", score=-1.5, zoom=2.0,
    seconds={"decode": 0.5, "score": 1.0},
)  # fmt: skip
FAILED = Row(
    key="x", photograph="x", file="x, y.jpg", status="failed", category="unreadable",
    reason='x.jpg: "empty", get it again',
)  # fmt: skip
VERDICTS = [
    Verdict("c", "kept", 0), Verdict("b", "rejected", 1), Verdict("d", "duplicate", None, "c"),
    Verdict("x", "failed"),
]  # fmt: skip


def _ledger(path: Path) -> Ledger:
    ledger = Ledger(path / "ledger.sqlite")
    others = [
        replace(SCORED, key=key, photograph=key, file=file)
        for key, file in (("c", "c.jpg"), ("d", "é.jpg"))
    ]
    ledger.add([SCORED, FAILED, *others, replace(FAILED, key="old", photograph="old")])
    ledger.set_verdicts(VERDICTS)
    return ledger


def test_the_text_for_people() -> None:
    assert SUMMARY.to_text().splitlines() == [
        "12,000 photographs (5 done by an earlier run)",
        "  kept             3",
        "  rejected         2",
        "  duplicates       1",
        "  failed           7",
        "          6  unreadable",
        "          1  no picture",
        "      a.jpg: empty",
        "      b.jpg: cut",
        "      ... and 5 more",
        "  4 were asked for; there are no more that can be used",
        "time: 31.2 s; by stage, all workers together:",
        "  decode           6.0 s       0.5 ms a photograph",
        "  render          24.0 s       2.0 ms a photograph",
    ]


@pytest.mark.parametrize("asked", [None, 3])
def test_nothing_is_said_to_lack_when_all_that_was_asked_for_is_there(asked: int | None) -> None:
    text = replace(SUMMARY, asked=asked, failed=2).to_text()
    assert "asked for" not in text
    assert "more" not in text


def test_the_json_holds_every_field() -> None:
    assert SUMMARY.to_json().endswith("}\n")
    assert json.loads(SUMMARY.to_json()) == {**asdict(SUMMARY), "reasons": list(SUMMARY.reasons)}


def test_it_counts_what_was_judged_and_nothing_else(tmp_path: Path) -> None:
    with _ledger(tmp_path) as ledger:
        found = summarize(
            ledger, out=tmp_path / "hq", photographs=4, resumed=2, asked=None, wall=1.5
        )
    assert (found.kept, found.rejected, found.duplicates, found.failed) == (1, 1, 1, 1)
    assert found.failures == {"unreadable": 1}  # "old" has a row, and is no part of this build
    assert found.reasons == (FAILED.reason,)
    assert found.seconds == {"decode": 1.5, "score": 3.0}
    assert (found.photographs, found.resumed, found.wall_seconds) == (4, 2, 1.5)


def test_the_commonest_failures_come_first_and_a_few_reasons_are_shown(tmp_path: Path) -> None:
    rows = [
        replace(FAILED, key=f"{n:02}", category="rare" if n == 0 else "common", reason=f"r{n}")
        for n in range(9)
    ]
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.add(rows)
        ledger.set_verdicts(Verdict(row.key, "failed") for row in rows)
        found = summarize(ledger, out=Path("hq"), photographs=9, resumed=0, asked=None, wall=0.0)
    assert list(found.failures.items()) == [("common", 8), ("rare", 1)]
    assert found.reasons == ("r0", "r1", "r2", "r3", "r4")
    assert "... and 4 more" in found.to_text()


def test_the_table_is_csv_by_rank(tmp_path: Path) -> None:
    path = tmp_path / "photographs.csv"
    with _ledger(tmp_path) as ledger:
        write_table(path, ledger)
    assert path.read_bytes() == (
        b"key,file,verdict,rank,score,zoom,duplicate_of,reason\n"
        b"c,c.jpg,kept,0,-1.5,2.0,,\n"
        b"b,b.jpg,rejected,1,-1.5,2.0,,\n"
        b"d,\xc3\xa9.jpg,duplicate,,-1.5,2.0,c,\n"
        b'x,"x, y.jpg",failed,,,,,"x.jpg: ""empty"", get it again"\n'
    )
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert rows[-1]["reason"] == FAILED.reason


def test_a_row_of_the_table_is_a_line_whatever_the_photograph_is_called(tmp_path: Path) -> None:
    path = tmp_path / "photographs.csv"
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.add([replace(FAILED, key="two\nlines", photograph="two\nlines")])
        ledger.set_verdicts([Verdict("two\nlines", "failed")])
        write_table(path, ledger)
    assert len(path.read_text().splitlines()) == 2


def test_errors_that_may_pass_are_told_how_to_try_again() -> None:
    text = replace(SUMMARY, failures={"worker died": 1}).to_text()
    assert "to try again, move hq away and run the same command" in text
