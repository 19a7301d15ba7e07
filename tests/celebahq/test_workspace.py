"""The files beside the output: the lock, the crops, what may be removed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pgan_toolkit.celebahq.ledger import Ledger, remove_ledger
from pgan_toolkit.celebahq.workspace import Workspace
from pgan_toolkit.errors import DataError, SetupError, UsageError


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "hq")
    made.folder.mkdir()
    return made


def put(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_it_lies_beside_the_output_and_has_its_name(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "set.v2.zip")
    assert workspace.folder == tmp_path / "set.v2.zip.build"
    assert workspace.ledger.parent == workspace.crops.folder.parent == workspace.folder
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out", ["", ".", "/", "..", "a/.."])
def test_an_output_needs_a_name(out: str) -> None:
    with pytest.raises(UsageError, match="expected the name of a file or folder"):
        Workspace(Path(out))


def test_the_lock_names_its_holder_and_ends_with_it(workspace: Workspace) -> None:
    with workspace.locked():
        with (
            pytest.raises(SetupError, match=rf"hq\.build: another build \(process {os.getpid()}\)"),
            Workspace(workspace.output.path).locked(),
        ):
            pytest.fail("it was held twice")
        assert (workspace.folder / "lock").read_text() == str(os.getpid())
    with workspace.locked():
        pass


def test_an_error_while_it_is_held_releases_it(workspace: Workspace) -> None:
    with pytest.raises(DataError), workspace.locked():
        raise DataError("a.jpg: bad")
    with workspace.locked():
        pass


def test_a_holder_that_was_killed_holds_nothing(workspace: Workspace) -> None:
    code = (
        "import os, pathlib, sys; from pgan_toolkit.celebahq.workspace import Workspace\n"
        "with Workspace(pathlib.Path(sys.argv[1])).locked(): os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(workspace.output.path)], check=False)
    assert done.returncode == -9
    assert (workspace.folder / "lock").read_text() != ""
    with workspace.locked():
        assert (workspace.folder / "lock").read_text() == str(os.getpid())


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_clear_removes_the_build_and_its_output_but_not_the_held_lock(
    workspace: Workspace, kind: str
) -> None:
    made = put(workspace.packed if kind == "file" else workspace.crops.folder / "sub" / "a.png")
    made = made if kind == "file" else workspace.crops.folder
    workspace.output.publish(made, selection={}, pictures=1)
    with Ledger(workspace.ledger):
        pass
    put(workspace.crops.folder / "sub" / "a.png")
    put(workspace.table)
    with workspace.locked():
        workspace.clear()
        assert [path.name for path in workspace.folder.iterdir()] == ["lock"]
    assert not os.path.lexists(workspace.output.path)


def test_clear_keeps_an_output_of_others(workspace: Workspace) -> None:
    mine = put(workspace.output.path / "thesis.txt")
    with Ledger(workspace.ledger):
        pass
    with pytest.raises(UsageError, match="hq: --fresh removes only what a build made"):
        workspace.clear()
    assert mine.exists()
    assert workspace.ledger.exists()


def test_a_file_in_its_place_is_refused_and_kept(workspace: Workspace) -> None:
    workspace.folder.rmdir()
    mine = put(workspace.folder)
    with (
        pytest.raises(UsageError, match=r"hq\.build: .*this is something else"),
        workspace.locked(),
    ):
        pytest.fail("it was taken")
    assert mine.is_file()


def test_a_folder_of_that_name_that_is_no_workspace_is_refused_and_kept(
    workspace: Workspace,
) -> None:
    mine = put(workspace.folder / "index.html")
    with (
        pytest.raises(UsageError, match=r"hq\.build: .*this is something else"),
        workspace.locked(),
    ):
        pytest.fail("it was taken")
    assert [path.name for path in workspace.folder.iterdir()] == [mine.name]


def test_what_a_killed_build_left_half_done_is_removed(workspace: Workspace) -> None:
    put(workspace.folder / "lock")
    put(workspace.folder / ".dataset.0123abcd.partial")
    put(workspace.folder / "trash" / "a.png")
    with workspace.locked():
        assert [path.name for path in workspace.folder.iterdir()] == ["lock"]


def test_a_ledger_is_removed_with_the_journal_that_a_killed_process_left(tmp_path: Path) -> None:
    code = (
        "import sqlite3, sys, os; c = sqlite3.connect(sys.argv[1])\n"
        "c.execute('CREATE TABLE t(x)'); c.execute('PRAGMA cache_size=1'); c.execute('BEGIN')\n"
        "c.executemany('INSERT INTO t VALUES (?)', [('y' * 3000,)] * 500); os.kill(os.getpid(), 9)"
    )
    path = tmp_path / "ledger.sqlite"
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert path.with_name("ledger.sqlite-journal").exists()
    remove_ledger(path)
    assert list(tmp_path.iterdir()) == []
    remove_ledger(path)


def test_the_spools_keys_are_names_without_png(workspace: Workspace) -> None:
    assert workspace.crops.keys() == set()
    for name in ("a.png", "b.v2.png", "sub/c.png", ".a.png.0123abcd.partial", ".d.png"):
        put(workspace.crops.folder / name)
    assert workspace.crops.keys() == {"a", "b.v2", "sub/c"}


def test_keep_only_leaves_what_was_selected_and_no_empty_folder(workspace: Workspace) -> None:
    workspace.crops.keep_only({"a"})  # before there is a spool
    for name in ("a.png", "b.png", "sub/c.png", "sub/d.png", "gone/deep/e.png", "a.txt",
                 ".a.png.0123abcd.partial", "sub/.c.png.0123abcd.partial"):  # fmt: skip
        put(workspace.crops.folder / name)
    workspace.crops.keep_only({"a", "sub/d"})
    left = {
        path.relative_to(workspace.crops.folder).as_posix()
        for path in workspace.crops.folder.rglob("*")
    }
    assert left == {"a.png", "sub", "sub/d.png"}
