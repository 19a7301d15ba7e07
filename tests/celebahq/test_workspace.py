"""The files beside the output: the lock, who made the output, what may be removed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pgan_toolkit.celebahq.workspace import Workspace
from pgan_toolkit.errors import DataError, SetupError, UsageError

SELECTION: dict[str, object] = {"select": "ranked", "count": 3, "format": "folder"}


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
    assert workspace.ledger.parent == workspace.spool.parent == workspace.folder
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out", ["", ".", "/", "..", "a/.."])
def test_an_output_needs_a_name(out: str) -> None:
    with pytest.raises(UsageError, match="expected the name of a file or folder"):
        Workspace(Path(out))


def test_the_lock_names_its_holder_and_ends_with_it(workspace: Workspace) -> None:
    with workspace.locked():
        with (
            pytest.raises(SetupError, match=rf"hq\.build: another build \(process {os.getpid()}\)"),
            Workspace(workspace.out).locked(),
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
    done = subprocess.run([sys.executable, "-c", code, str(workspace.out)], check=False)
    assert done.returncode == -9
    assert (workspace.folder / "lock").read_text() != ""
    with workspace.locked():
        assert (workspace.folder / "lock").read_text() == str(os.getpid())


def test_an_empty_folder_is_no_output_and_a_file_is_one(workspace: Workspace) -> None:
    assert not workspace.has_output()
    workspace.out.mkdir()
    assert not workspace.has_output()
    assert workspace.check_output(SELECTION) is False
    workspace.out.rmdir()
    workspace.out.touch()
    assert workspace.has_output()


def test_its_own_output_is_known_again(workspace: Workspace) -> None:
    put(workspace.out / "a.png")
    workspace.own(SELECTION)
    assert workspace.owned() == SELECTION
    assert workspace.check_output(dict(SELECTION)) is True
    with pytest.raises(DataError, match=r"count: 3, now 4.*--fresh"):
        workspace.check_output({**SELECTION, "count": 4})


def test_an_output_of_others_is_refused_and_kept(workspace: Workspace) -> None:
    mine = put(workspace.out / "thesis.txt")
    with pytest.raises(DataError, match="hq: exists and was not made by this build"):
        workspace.check_output(SELECTION)
    with pytest.raises(UsageError, match="hq: --fresh removes only what a build made"):
        workspace.clear()
    assert mine.exists()


@pytest.mark.parametrize("data", [b"", b"{", b"3", b"[1]", b'"ranked"', b"\xff\xfe\x00"])
def test_a_damaged_record_removes_nothing_and_says_how_to_go_on(
    workspace: Workspace, data: bytes
) -> None:
    picture = put(workspace.out / "a.png")
    (workspace.folder / "output.json").write_bytes(data)
    for use in (lambda: workspace.check_output(SELECTION), workspace.clear):
        with pytest.raises(DataError, match=r"output\.json: damaged.*move .*hq away and run"):
            use()
    assert picture.exists()
    workspace.out.rename(workspace.out.with_name("away"))
    assert workspace.check_output(SELECTION) is False
    workspace.own(SELECTION)
    assert workspace.owned() == SELECTION


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_clear_removes_the_build_and_its_output_but_not_the_held_lock(
    workspace: Workspace, tmp_path: Path, kind: str
) -> None:
    elsewhere = put(tmp_path / "elsewhere" / "keep.png")
    if kind == "file":
        put(workspace.out)
    elif kind == "folder":
        put(workspace.out / "sub" / "a.png")
    else:
        workspace.out.symlink_to(elsewhere.parent)
    workspace.own(SELECTION)
    put(workspace.ledger)
    put(workspace.spool / "sub" / "a.png")
    with workspace.locked():
        workspace.clear()
        assert [path.name for path in workspace.folder.iterdir()] == ["lock"]
    assert not os.path.lexists(workspace.out)
    assert elsewhere.exists()


def test_the_spools_keys_are_names_without_png(workspace: Workspace) -> None:
    assert workspace.spooled() == set()
    for name in ("a.png", "b.v2.png", "sub/c.png", ".a.png.0123abcd.partial", ".d.png"):
        put(workspace.spool / name)
    assert workspace.spooled() == {"a", "b.v2", "sub/c"}


def test_keep_only_leaves_what_was_selected_and_no_empty_folder(workspace: Workspace) -> None:
    workspace.keep_only({"a"})  # before there is a spool
    for name in ("a.png", "b.png", "sub/c.png", "sub/d.png", "gone/deep/e.png", "a.txt",
                 ".a.png.0123abcd.partial", "sub/.c.png.0123abcd.partial"):  # fmt: skip
        put(workspace.spool / name)
    workspace.keep_only({"a", "sub/d"})
    left = {path.relative_to(workspace.spool).as_posix() for path in workspace.spool.rglob("*")}
    assert left == {"a.png", "sub", "sub/d.png"}
