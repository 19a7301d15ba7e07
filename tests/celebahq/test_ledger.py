"""The ledger keeps what it was given, and explains itself when it cannot."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pgan_toolkit.celebahq import Ledger, Row, Verdict
from pgan_toolkit.errors import DataError, SetupError

SCORED = Row(
    key="b",
    photograph="b",
    file="b.jpg",
    status="scored",
    pixel_digest="12",
    crop_digest="34",
    landmarks=tuple((float(np.float32(n / 3)), n + 0.5) for n in range(5)),
    quad=((0.0, 0.0), (0.0, 9.0), (9.0, 9.0), (9.0, 0.0)),
    zoom=2.5,
    score=0.1 + 0.2,
    seconds={"decode": 0.25},
)
FAILED = Row(key="a", photograph="a", file="a.jpg", status="failed", category="x", reason="why")


def test_rows_come_back_as_they_were_in_the_order_of_keys(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.add([SCORED, FAILED])
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert list(ledger.rows()) == [FAILED, SCORED]
        assert ledger.row("b") == SCORED
        assert ledger.scored_photographs() == {"b"}
    assert SCORED.landmark_array()[1, 0] == np.float32(1 / 3)


@pytest.mark.parametrize("key", ["/photos/b", "../b", "a/../../b"])
def test_a_key_that_leads_outside_is_refused_before_it_is_written(tmp_path: Path, key: str) -> None:
    with Ledger(tmp_path / "l") as ledger:
        with pytest.raises(DataError, match=r"b\.jpg: the key .* leads out of the dataset"):
            ledger.add([FAILED, replace(SCORED, key=key)])
        assert list(ledger.rows()) == []


def test_a_row_of_the_same_key_is_replaced(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l") as ledger:
        ledger.add([FAILED])
        ledger.add([Row(key="a", photograph="a", file="a.jpg", status="scored", score=1.0)])
        assert [row.status for row in ledger.rows()] == ["scored"]


def test_verdicts_are_replaced_as_a_whole_and_ordered_by_rank(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l") as ledger:
        ledger.set_verdicts([Verdict("old", "kept", 0)])
        new = [Verdict("z", "kept", 0), Verdict("y", "rejected", 1), Verdict("a", "failed")]
        ledger.set_verdicts(reversed(new))
        assert ledger.verdicts() == new


def test_rows_are_added_all_or_none(tmp_path: Path) -> None:
    broken = Row(key="c", photograph="c", file="c", status="failed")
    object.__setattr__(broken, "status", "lost")
    with Ledger(tmp_path / "l") as ledger:
        with pytest.raises(DataError):
            ledger.add([SCORED, broken])
        assert list(ledger.rows()) == []


def test_a_file_that_is_no_ledger_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(DataError, match=r"ledger\.sqlite: not a ledger, or damaged.*--fresh"):
        Ledger(path)


def test_others_may_open_it_while_it_is_made(tmp_path: Path) -> None:
    """As --status does: no one sees half of its tables, nor does the run after a kill."""

    def version(path: Path) -> str | None:
        with Ledger(path) as ledger:
            return ledger.fact("version")

    with ThreadPoolExecutor(8) as pool:
        for number in range(2):
            path = tmp_path / f"{number}.sqlite"
            assert set(pool.map(version, [path] * 8)) == {"1"}


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        ledger.set_fact("version", "99")
    with pytest.raises(DataError, match="version 99, expected 1"):
        Ledger(path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="missing/ledger: the ledger cannot be used"):
        Ledger(tmp_path / "missing" / "ledger")


def test_the_file_is_plain_sqlite_for_other_programs(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l") as ledger:
        ledger.add([SCORED])
    with sqlite3.connect(tmp_path / "l") as connection:
        found = connection.execute("SELECT key, score, status FROM faces").fetchall()
    connection.close()
    assert found == [("b", 0.30000000000000004, "scored")]
