import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pgan_toolkit.errors import UsageError
from pgan_toolkit.storage import open_source
from pgan_toolkit.storage.atomic import AtomicPath, atomic_write_bytes, put_back, sync_to_disk


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fill(path: Path) -> None:
    path.write_bytes(b"half")
    Path("/dev/full").write_bytes(b"x")


def test_bytes_are_written_and_replaced(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.json"
    atomic_write_bytes(target, b"one")
    atomic_write_bytes(target, b"two")
    assert target.read_bytes() == b"two"
    assert names(target.parent) == ["a.json"]


def test_devices_pipes_and_streams_are_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "pipe_too").symlink_to("pipe")
    before = names(tmp_path)
    for name in before:
        with pytest.raises(UsageError, match=rf"{name}: is a device, a pipe .* name a file"):
            AtomicPath(tmp_path / name, overwrite=True)
        with pytest.raises(UsageError, match="name a file"):
            atomic_write_bytes(tmp_path / name, b"x")
    assert names(tmp_path) == before


def test_where_the_output_goes_is_not_replaced(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pgan_toolkit.storage.atomic import AtomicPath\n"
        "print('kept', flush=True); AtomicPath(Path(sys.argv[1]), overwrite=True)"
    )
    (tmp_path / "stdout").symlink_to("/proc/self/fd/1")
    for name in ("stdout", "log"):
        with (tmp_path / "log").open("w") as log:
            done = subprocess.run(
                [sys.executable, "-c", code, tmp_path / name],
                stdout=log, stderr=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip
        assert "an open stream, which cannot be replaced" in done.stderr
        assert (tmp_path / "log").read_text() == "kept\n"
    assert (tmp_path / "stdout").is_symlink()
    assert names(tmp_path) == ["log", "stdout"]


def test_new_files_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        atomic_write_bytes(tmp_path / "a", b"")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_name_shows_only_after_commit(tmp_path: Path) -> None:
    with AtomicPath(tmp_path / "a", kind="file") as temporary:
        temporary.write_bytes(b"x")
        assert not (tmp_path / "a").exists()
        assert all(name.startswith(".") for name in names(tmp_path))
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_error_leaves_nothing(tmp_path: Path, kind: str) -> None:
    with pytest.raises(OSError, match="No space"), AtomicPath(tmp_path / "a", kind=kind) as made:  # type: ignore[arg-type]
        fill(made / "b" if kind == "folder" else made)
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_full_disk_at_the_flush_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(os, "sync", full)
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*/a'"),
        AtomicPath(tmp_path / "a", kind=kind),  # type: ignore[arg-type]
    ):
        pass
    assert names(tmp_path) == []


def test_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a"
    atomic_write_bytes(target, b"old")
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*/a'"),
        AtomicPath(target, overwrite=True),
    ):
        Path("/dev/full").write_bytes(b"x")
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_full_disk_leaves_no_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/a'"):
        atomic_write_bytes(tmp_path / "a", b"x")
    assert names(tmp_path) == []
    with pytest.raises(OSError, match=rf"No space left on device: '{tmp_path}'"):
        sync_to_disk(tmp_path)


def test_other_errors_of_the_work_are_raised_as_they_are(tmp_path: Path) -> None:
    error = ConnectionResetError(errno.ECONNRESET, "reset by a server, not by the disk")
    with pytest.raises(ConnectionResetError) as caught, AtomicPath(tmp_path / "a"):
        raise error
    assert caught.value is error
    assert error.filename is None


def test_existing_target_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(UsageError, match="exists already"):
        AtomicPath(tmp_path / "a")
    assert names(tmp_path) == ["a"]


def test_target_that_appears_meanwhile_is_refused(tmp_path: Path) -> None:
    writer = AtomicPath(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"other")
    with pytest.raises(UsageError, match="exists already"):
        writer.commit()
    assert (tmp_path / "a").read_bytes() == b"other"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("old", ["file", "folder"])
@pytest.mark.parametrize("new", ["file", "folder"])
def test_overwrite_replaces_any_kind(tmp_path: Path, old: str, new: str) -> None:
    target = tmp_path / "a"
    if old == "file":
        target.write_bytes(b"old")
    else:
        target.mkdir()
        (target / "x").write_bytes(b"old")
    with AtomicPath(target, kind=new, overwrite=True, over_folder=True) as temporary:  # type: ignore[arg-type]
        (temporary if new == "file" else temporary / "y").write_bytes(b"new")
    assert names(tmp_path) == ["a"]
    assert (target if new == "file" else target / "y").read_bytes() == b"new"


def test_a_file_does_not_replace_a_folder_unless_that_is_meant(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(UsageError, match="a: is a folder; name the file that is to be written"):
        AtomicPath(tmp_path / "a", overwrite=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with AtomicPath(tmp_path / "link", overwrite=True) as temporary:
        temporary.write_bytes(b"new")
    assert (tmp_path / "a").is_dir()
    assert names(tmp_path) == ["a", "link"]


def test_discard_after_commit_does_nothing(tmp_path: Path) -> None:
    writer = AtomicPath(tmp_path / "a")
    writer.commit()
    writer.discard()
    assert names(tmp_path) == ["a"]


def sibling(folder: Path, number: int, suffix: str = "partial") -> Path:
    return folder / f".a.{number:08x}.{suffix}"


def test_what_a_killed_writer_left_is_removed_at_once_unless_its_lock_is_held(
    tmp_path: Path,
) -> None:
    abandoned, live, empty = (sibling(tmp_path, number) for number in (1, 2, 3))
    folder, empty_folder = (sibling(tmp_path, number) for number in (4, 5))
    for path in (abandoned, live, tmp_path / ".a.notes.partial", tmp_path / ".ab.00000001.partial"):
        path.write_bytes(b"x")
    empty.touch()
    empty_folder.mkdir()
    folder.mkdir()
    (folder / "x").touch()
    with live.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        AtomicPath(tmp_path / "a").commit()
    # What is new and empty may belong to a writer that is about to lock it.
    kept = [live, empty, empty_folder, tmp_path / ".a.notes.partial"]
    assert names(tmp_path) == sorted([*(p.name for p in kept), ".ab.00000001.partial", "a"])


def test_what_is_empty_is_removed_when_it_is_old(tmp_path: Path) -> None:
    file, folder = sibling(tmp_path, 1), sibling(tmp_path, 2)
    file.touch()
    folder.mkdir()
    for path in (file, folder):
        os.utime(path, (0, 0))
    AtomicPath(tmp_path / "a").commit()
    assert names(tmp_path) == ["a"]


def test_writers_of_one_target_leave_each_others_work_alone(tmp_path: Path) -> None:
    first = AtomicPath(tmp_path / "a", kind="folder", overwrite=True)
    (first.temporary / "x").write_bytes(b"first")
    second = AtomicPath(tmp_path / "a", kind="folder", overwrite=True)
    (second.temporary / "x").write_bytes(b"second")
    first.commit()
    second.commit()
    assert (tmp_path / "a" / "x").read_bytes() == b"second"
    assert names(tmp_path) == ["a"]


KILLED_WHILE_REPLACING = """
import os, signal, sys
from pathlib import Path
from pgan_toolkit.storage.atomic import AtomicPath

step, rename = int(sys.argv[2]), Path.rename

def rename_or_die(self, target):
    global step
    if step == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    step -= 1
    return rename(self, target)

Path.rename = rename_or_die
with AtomicPath(Path(sys.argv[1]), kind="folder", overwrite=True) as temporary:
    (temporary / "x").write_bytes(b"new")
"""


def killed_while_replacing(target: Path, step: int) -> None:
    target.mkdir()
    (target / "x").write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_REPLACING, str(target), str(step)], check=False
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("step", "expected"), [(0, b"old"), (1, b"old"), (2, b"new")])
def test_a_kill_at_any_step_of_replacing_a_folder_loses_nothing(
    tmp_path: Path, step: int, expected: bytes
) -> None:
    target = tmp_path / "a"
    killed_while_replacing(target, step)
    assert target.exists() == (step != 1)
    with pytest.raises(UsageError, match="exists already"):
        AtomicPath(target, kind="folder")
    assert (target / "x").read_bytes() == expected
    AtomicPath(target, kind="folder", overwrite=True).discard()
    assert names(tmp_path) == ["a"]
    assert (target / "x").read_bytes() == expected


def test_opening_a_data_set_puts_back_what_a_killed_writer_moved_aside(tmp_path: Path) -> None:
    target = tmp_path / "a"
    killed_while_replacing(target, 1)
    (next(tmp_path.glob(".a.*.replaced")) / "f.png").write_bytes(b"only listed")
    assert open_source(target).keys() == ("f",)


def test_what_is_being_replaced_is_neither_put_back_nor_removed(tmp_path: Path) -> None:
    replaced = sibling(tmp_path, 1, "replaced")
    replaced.mkdir()
    handle = os.open(replaced, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    put_back(tmp_path / "a")
    AtomicPath(tmp_path / "a").commit()
    assert names(tmp_path) == [replaced.name, "a"]
    os.close(handle)
    (tmp_path / "a").unlink()
    put_back(tmp_path / "a")
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").is_dir()


def test_nothing_to_put_back_is_no_error(tmp_path: Path) -> None:
    put_back(tmp_path / "none" / "a")
    put_back(tmp_path / "a")
    assert names(tmp_path) == []


def test_long_names_with_one_beginning_do_not_share_their_siblings(tmp_path: Path) -> None:
    first, second = (tmp_path / (210 * "n" + end) for end in "ab")
    with AtomicPath(first) as left:
        left.write_bytes(b"x")
        abandoned = left.with_name(left.name.replace(".partial", "")[:-8] + "00000001.partial")
        abandoned.write_bytes(b"x")
        AtomicPath(second).commit()
        assert abandoned.exists()
    AtomicPath(first, overwrite=True).commit()
    assert names(tmp_path) == [first.name, second.name]
