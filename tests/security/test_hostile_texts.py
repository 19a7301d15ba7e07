"""Tables, settings, lists and ledgers that others wrote."""

import gzip
import sqlite3
from pathlib import Path

import pytest
from hostile_files import GOOD

from pgan_toolkit.celebahq import Ledger, Row, read_landmarks
from pgan_toolkit.celebahq.landmarks import COLUMNS
from pgan_toolkit.errors import DataError, PganError, UsageError
from pgan_toolkit.evaluation.comparing.report_json import read_report
from pgan_toolkit.evaluation.comparing.settings_file import read_settings_file
from pgan_toolkit.storage import open_sink, open_source
from pgan_toolkit.storage.idx import read_idx
from pgan_toolkit.storage.manifests import load_manifest
from reference_trainer.configuration import read_settings
from reference_trainer.runs import RunFolder, is_run, read_data_facts

HEADER = f"1\n{' '.join(COLUMNS)}\n"


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("a.txt", f"{'1' * 5000}{HEADER}a.jpg {'1 ' * 10}", ""),
        ("a.txt", f"{HEADER}a.jpg nan inf -inf 1e400 1e308 1 1 1 1 1", "'nan' is not a position"),
        ("a.txt", f"{HEADER}a.jpg {'9' * 5000} {'1 ' * 9}", "is not a position"),
        ("a.json", '{"a.jpg": ' + "[" * 700 + "]" * 700 + "}", "expected ten numbers"),
        ("a.json", '{"a.jpg": [[NaN, Infinity], [1, 2], [1, 2], [1, 2], [1, 2]]}', "'nan' is not"),
    ],
    ids=["count", "not finite", "digits", "deep", "json not finite"],
)
def test_a_row_of_a_landmark_table(tmp_path: Path, file: str, text: str, problem: str) -> None:
    (tmp_path / file).write_text(text)
    table = read_landmarks(tmp_path / file)
    assert problem in table.problems.get("a.jpg", "")
    assert bool(problem) != ("a.jpg" in table)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.json", "[" * 100_000),
        ("a.json", f'{{"a.jpg": [[{"9" * 5000}, 1]]}}'),
        ("a.csv", f"file,{','.join(COLUMNS)}\n{'a' * 200_000},1\n"),
        ("a.txt", ""),
        ("a.txt", "\0" * 100),
    ],
)
def test_a_landmark_table_that_is_none(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(DataError, match=file):
        read_landmarks(tmp_path / file)


def test_texts_are_not_read_beyond_a_size(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.truncate(20 << 30)
    for read in (read_landmarks, load_manifest, read_report, read_settings_file, read_settings):
        with pytest.raises(DataError, match=r"21,474,836,480 bytes; expected at most"):
            read(path)


@pytest.mark.parametrize(
    "text",
    [
        f"[max]\n{'.'.join('a' * 2000)} = 1",
        f"[max]\nswd = 0x{'f' * 5000}",
        f"[max]\nswd = 1{'0' * 400}",
        f"[max]\nswd = {'9' * 5000}",
        "[max]\nswd = nan",
        f"a = {'[' * 5000}",
    ],
    ids=["deep", "digits", "beyond floats", "decimal digits", "nan", "brackets"],
)
@pytest.mark.parametrize("read", [read_settings_file, read_settings])
def test_settings(tmp_path: Path, text: str, read: object) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(PganError, match=r"a\.toml: "):
        read(tmp_path / "a.toml")


@pytest.mark.parametrize("text", ["[" * 100_000, "{}", "null", f'{{"format": {"9" * 5000}}}'])
def test_json_of_others(tmp_path: Path, text: str) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text(text)
    for read in (read_report, load_manifest):
        with pytest.raises(DataError):
            read(run / "run.json")
    assert not is_run(run)
    with pytest.raises(DataError):
        read_data_facts(RunFolder(run))


@pytest.mark.parametrize("label", ["9" * 30, "-1", "1.5", "true", "NaN", "[" * 900 + "]" * 900])
def test_labels_of_a_folder(tmp_path: Path, label: str) -> None:
    (tmp_path / "a.png").write_bytes(GOOD)
    (tmp_path / "dataset.json").write_text(f'{{"labels": [["a.png", {label}]]}}')
    with pytest.raises(DataError, match=r"dataset\.json"):
        open_source(tmp_path)


def test_a_label_that_no_format_holds_is_not_written(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match="the label is 1000"),
        open_sink(tmp_path / "a.h5") as sink,
    ):
        sink.write_encoded("a", GOOD, 10**30)


def test_a_packed_idx_file_is_unpacked_as_far_as_it_states(tmp_path: Path) -> None:
    header = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4])
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(header + bytes(64 << 20)))
    with pytest.raises(DataError, match=r"49 bytes; expected 48 for the sizes 2 x 4 x 4"):
        read_idx(path, ndim=3)


def _ledger(path: Path, *statements: str) -> Path:
    with Ledger(path) as ledger:
        ledger.add([Row("a", "a", "a.jpg", "scored", score=1.0)])
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return path


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TRIGGER t AFTER INSERT ON faces BEGIN DELETE FROM faces; END",),
        ("CREATE VIEW v AS SELECT 1",),
        (
            "DROP TABLE verdicts",
            "CREATE VIEW verdicts AS WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x FROM t) "
            "SELECT x AS key, 'kept' AS verdict, 1 AS rank, '' AS duplicate_of FROM t",
        ),
    ],
    ids=["trigger", "view", "a view without an end"],
)
def test_a_ledger_with_programs_in_it(tmp_path: Path, statements: tuple[str, ...]) -> None:
    path = _ledger(tmp_path / "ledger.sqlite", *statements)
    with pytest.raises(DataError, match=r"other tables than a ledger's"), Ledger(path):
        pass


@pytest.mark.parametrize(
    "change",
    [
        "key = '../../evil'",
        "key = '/etc/evil'",
        "landmarks = '['",
        "landmarks = '[[1]]'",
        f"quad = '{'[' * 100_000}'",
        "seconds = x'00ff'",
        "file = CAST(x'ff' AS TEXT)",
    ],
)
def test_a_ledger_with_other_rows(tmp_path: Path, change: str) -> None:
    path = _ledger(tmp_path / "ledger.sqlite", f"UPDATE faces SET {change}")
    with (
        Ledger(path) as ledger,
        pytest.raises(DataError, match=r"ledger\.sqlite: (the|not a ledger)"),
    ):
        list(ledger.rows())


def test_an_unknown_setting_is_told_and_not_used(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[evaluate]\ngenerator = "os:system"\n')
    with pytest.raises(UsageError, match=r"no setting of \[evaluate\] 'generator'"):
        read_settings_file(tmp_path / "a.toml")
