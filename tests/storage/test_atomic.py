import errno
import fcntl
import os
from pathlib import Path

import pytest

from pgan_toolkit.errors import UsageError
from pgan_toolkit.storage.atomic import AtomicPath, atomic_write_bytes


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
    with pytest.raises(OSError, match="No space left"), AtomicPath(tmp_path / "a", kind=kind):  # type: ignore[arg-type]
        pass
    assert names(tmp_path) == []


def test_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a"
    atomic_write_bytes(target, b"old")
    with pytest.raises(OSError, match="No space left"), AtomicPath(target, overwrite=True):
        Path("/dev/full").write_bytes(b"x")
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_full_disk_leaves_no_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        atomic_write_bytes(tmp_path / "a", b"x")
    assert names(tmp_path) == []


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
    with AtomicPath(target, kind=new, overwrite=True) as temporary:  # type: ignore[arg-type]
        (temporary if new == "file" else temporary / "y").write_bytes(b"new")
    assert names(tmp_path) == ["a"]
    assert (target if new == "file" else target / "y").read_bytes() == b"new"


def test_discard_after_commit_does_nothing(tmp_path: Path) -> None:
    writer = AtomicPath(tmp_path / "a")
    writer.commit()
    writer.discard()
    assert names(tmp_path) == ["a"]


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    abandoned, young, live = (
        tmp_path / f".a.{token}.partial" for token in ("00000001", "00000002", "00000003")
    )
    for path in (abandoned, young, live, tmp_path / ".a.notes.partial"):
        path.write_bytes(b"x")
    for path in (abandoned, live):
        os.utime(path, (0, 0))
    with live.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        AtomicPath(tmp_path / "a").commit()
    assert names(tmp_path) == [
        ".a.00000002.partial",
        ".a.00000003.partial",
        ".a.notes.partial",
        "a",
    ]
