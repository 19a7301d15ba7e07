"""Names and labels that others chose: on the terminal, in logs, in tables and in a CI system."""

import csv
import io
import json
import os
import re
from pathlib import Path

import pgan_cli
import pytest
from hostile_files import GOOD, member, tar_of, zip_of
from pgan_cli.main import _run
from pgan_cli.terminal import echo

from pgan_toolkit.celebahq import Ledger, Row, Verdict
from pgan_toolkit.celebahq.ranking import Ranking, ScoredPicture
from pgan_toolkit.celebahq.summary import write_table
from pgan_toolkit.progress import Progress
from pgan_toolkit.wording import spreadsheet_text, visible

RETITLE = "\x1b]0;owned\x07\x1b[31mred"
NAMES = [RETITLE, "\x9b31m", "a\u202egnp", "a\r\nb", "\udcff", "\u2028", "\x7f"]


@pytest.mark.parametrize("name", NAMES)
def test_what_steers_a_terminal_is_shown(name: str) -> None:
    shown = visible(name)
    assert shown.isprintable()
    assert shown.encode()
    assert json.loads(f'"{shown}"') == name


@pytest.mark.parametrize("name", ["a/é 1", "图像", "\N{GRINNING FACE}", "a\xa0b"])
def test_other_names_are_left_as_they_are(name: str) -> None:
    assert visible(name) == name


def _command(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str
) -> str:
    monkeypatch.setattr("sys.argv", ["pgan-toolkit", *words])
    _run()
    return "".join(capfd.readouterr())


def _clean(text: str) -> bool:
    commands = re.search(r"^\s*(::|##\[)", text, re.MULTILINE)
    return text.replace("\n", "").isprintable() and commands is None


@pytest.mark.parametrize("command", ["inspect", "verify"])
@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_commands_print_no_names_that_steer(
    command: str,
    kind: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"{RETITLE}.txt", "line\n::error::injected.txt", "\u202egnp.txt"]
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
        for name in names:
            (path / name).touch()
        Path(os.fsdecode(bytes(path) + b"/bad\xff.txt")).touch()
        (path / "a.png").write_bytes(GOOD)
    elif kind == "zip":
        zip_of(path, *((name, b"") for name in names), ("a.png", GOOD))
    else:
        tar_of(path, *((member(name), b"x") for name in names), (member("a.png"), GOOD))
    text = _command(capfd, monkeypatch, "data", command, str(path))
    assert _clean(text)
    assert command == "verify" or "u001b]0;owned" in text


def test_an_error_that_names_a_file_does_not_steer(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{RETITLE}\n::error::x.zip").write_bytes(b"PK\3\4")
    for path in (tmp_path, next(tmp_path.iterdir())):
        text = _command(capfd, monkeypatch, "data", "inspect", str(path))
        assert "error: " in text
        assert _clean(text)


def test_no_line_within_a_text_is_a_command_to_githubs_runner(
    capsys: pytest.CaptureFixture[str],
) -> None:
    echo("::error title=mine::of this program\na\n::error::x\n  ##[group]y")
    assert capsys.readouterr().out == (
        "::error title=mine::of this program\na\n\\::error::x\n  \\##[group]y\n"
    )


def test_notes_of_progress_do_not_steer(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(1, label="reading") as bar:
        bar.note(RETITLE)
    assert _clean(capsys.readouterr().err)


def test_the_command_line_prints_by_echo_alone() -> None:
    found = [
        path.name
        for path in Path(pgan_cli.__path__[0]).glob("*.py")
        if re.search(r"click\.s?echo|\bprint\(|sys\.stdout\.write", path.read_text())
    ]
    assert found == ["terminal.py"]


FORMULAS = ["=HYPERLINK(1)", "+1", "-2", "@SUM(A1)"]


@pytest.mark.parametrize("name", FORMULAS)
def test_no_cell_of_a_table_is_a_formula(tmp_path: Path, name: str) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.add([Row(name, name, name, "failed", category=name, reason=name)])
        ledger.set_verdicts([Verdict(name, "failed", None, name)])
        write_table(tmp_path / "a.csv", ledger)
    (row,) = csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text()))
    assert not any(str(cell).startswith(tuple("=+-@")) for cell in row.values())


@pytest.mark.parametrize("name", FORMULAS)
def test_no_name_in_a_ranking_is_a_formula(name: str) -> None:
    from pgan_toolkit.celebahq import measure_quality
    from pgan_toolkit.imaging import decode_image

    quality = measure_quality(decode_image(GOOD, name="a").repeat(4, 0).repeat(4, 1))
    (row,) = csv.DictReader(io.StringIO(Ranking((ScoredPicture(name, quality),), ()).to_csv()))
    assert row["name"] == f"'{name}" == spreadsheet_text(name)
