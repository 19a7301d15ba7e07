"""A build from and to a remote storage: the same bytes as on this machine, and resumable."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from remote_storage import SECRET, Faults

from pgan_toolkit.celebahq import (
    BuildSettings,
    Ledger,
    build_dataset,
    build_html,
    find_photographs,
    plan_build,
    workspace_of,
)
from pgan_toolkit.celebahq.samples import write_samples
from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.storage import RemotePath, locate, open_source
from pgan_toolkit.storage.remote import connections, retrying
from pgan_toolkit.storage.remote.connections import filesystem
from pgan_toolkit.storage.remote.retrying import RetryPolicy
from pgan_toolkit.storage.remote.uploads import upload

KEYS = ("blur_2", "original", "rotated_15", "empty", "no_row", "nine_numbers")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remote_cache: Path) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the sample photographs, with the table of all."""
    folder = tmp_path_factory.mktemp("few") / "wild"
    write_samples(folder)
    for photograph in (folder / "img_celeba").iterdir():
        if photograph.stem not in KEYS:
            photograph.unlink()
    return folder


def _settings(src: str | Path, out: str | Path, **changes: object) -> BuildSettings:
    base = BuildSettings(
        src=locate(src), out=locate(out), count=2, size=64, workers=1, restorer="lanczos"
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def _stored(url: str) -> dict[str, bytes]:
    path = RemotePath(url)
    if path.is_file():
        return {"": path.read_bytes()}
    return {name: (path / name).read_bytes() for name in path.files()}


def _bytes(out: Path) -> dict[str, bytes]:
    if out.is_file():
        return {"": out.read_bytes()}
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize("output", ["folder", "webdataset"])
def test_from_s3_to_s3_the_bytes_are_those_of_a_local_build(
    bucket: str, s3: Faults, here: Path, few: Path, output: str
) -> None:
    upload(few, RemotePath(f"{bucket}/wild"))
    build_dataset(_settings(few, here / "local", format=output), mode="quiet")
    s3.add("503", count=2, method="GET", path="img_celeba")
    settings = _settings(f"{bucket}/wild", f"{bucket}/hq", format=output)
    summary = build_dataset(settings, mode="quiet")
    assert s3.waiting[0][2] == [0]
    assert _stored(f"{bucket}/hq") == _bytes(here / "local")
    assert (summary.kept, summary.failed) == (2, len(_failed(here / "local.build")))
    assert _failed(here / "hq.build") == _failed(here / "local.build")
    again = build_dataset(settings, mode="quiet")
    assert (again.kept, again.wall_seconds < summary.wall_seconds) == (2, True)
    for file in (here / "hq.build").rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes()


def _failed(workspace: Path) -> set[str]:
    with Ledger(workspace / "ledger.sqlite") as ledger:
        return {row.key for row in ledger.rows() if row.status == "failed"}


@pytest.mark.slow
def test_worker_processes_read_from_s3(bucket: str, here: Path, few: Path) -> None:
    upload(few, RemotePath(f"{bucket}/wild"))
    build_dataset(_settings(few, here / "local.zip"), mode="quiet")
    build_dataset(_settings(f"{bucket}/wild", f"{bucket}/hq.zip", workers=2), mode="quiet")
    assert _stored(f"{bucket}/hq.zip") == _bytes(here / "local.zip")


def test_a_storage_that_goes_away_stops_the_build_and_blames_no_photograph(
    bucket: str, s3: Faults, here: Path, few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(few, RemotePath(f"{bucket}/wild"))
    monkeypatch.setattr(connections, "_open", {})
    monkeypatch.setattr(retrying, "POLICY", RetryPolicy(attempts=2, first_wait_s=0.01))
    s3.add("503", count=100, method="GET", path="original.jpg")
    settings = _settings(f"{bucket}/wild", f"{bucket}/hq.zip")
    with pytest.raises(SetupError, match=r"original\.jpg: the storage does not answer"):
        build_dataset(settings, mode="quiet")
    assert s3.waiting[0][2] == [98]  # no more requests than the attempts
    s3.waiting.clear()
    assert build_dataset(settings, mode="quiet").kept == 2
    assert len(open_source(f"{bucket}/hq.zip")) == 2


def test_a_table_a_list_and_the_photographs_may_lie_apart(
    memory: str, here: Path, few: Path
) -> None:
    upload(few / "img_celeba", RemotePath(f"{memory}/photos"))
    table = few / "Anno" / "list_landmarks_celeba.txt"
    filesystem("memory").pipe_file("/bucket/table.txt", table.read_bytes())
    filesystem("memory").pipe_file("/bucket/keys.txt", b"original\nblur_2\n")
    settings = _settings(
        f"{memory}/photos",
        here / "hq",
        landmarks=RemotePath(f"{memory}/table.txt"),
        select=RemotePath(f"{memory}/keys.txt"),
    )
    build_dataset(settings, mode="quiet")
    assert set(open_source(here / "hq").keys()) == {"original", "blur_2"}


def test_the_photographs_of_a_url_are_found_as_those_of_a_folder(memory: str, few: Path) -> None:
    upload(few, RemotePath(f"{memory}/wild"))
    remote, local = find_photographs(RemotePath(f"{memory}/wild")), find_photographs(few)
    assert [p.key for p in remote] == [p.key for p in local]
    assert str(remote.folder) == f"{memory}/wild/img_celeba"
    assert str(remote.table) == f"{memory}/wild/Anno/list_landmarks_celeba.txt"
    assert [p.problem is None for p in remote] == [p.problem is None for p in local]
    with pytest.raises(UsageError, match=r"memory://bucket/none: no such folder"):
        find_photographs(RemotePath(f"{memory}/none"))


def test_what_is_half_sent_is_sent_again_by_the_same_command(
    memory: str, here: Path, few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _settings(few, f"{memory}/hq")
    store = type(filesystem("memory"))
    pipe, sent = store.pipe_file, []

    def breaks(self: object, path: str, value: bytes, **more: object) -> None:
        sent.append(path)
        if len(sent) == 3:
            raise PermissionError("full")
        pipe(self, path, value, **more)

    monkeypatch.setattr(store, "pipe_file", breaks)
    with pytest.raises(SetupError):
        build_dataset(settings, mode="quiet")
    monkeypatch.setattr(store, "pipe_file", pipe)
    assert plan_build(settings).done_before() is not None
    summary = build_dataset(settings, mode="quiet")
    assert summary.kept == 2
    assert summary.resumed == 3  # all that can be opened and scored
    assert len(open_source(f"{memory}/hq")) == 2
    assert plan_build(settings).done_before() is None


def test_an_output_of_others_is_refused_and_ones_own_is_begun_anew(
    memory: str, here: Path, few: Path
) -> None:
    settings = _settings(few, f"{memory}/hq.zip")
    build_dataset(settings, mode="quiet")
    with pytest.raises(DataError, match=r"is finished, with other settings: count: 2, now 1"):
        build_dataset(replace(settings, count=1), mode="quiet")
    build_dataset(replace(settings, count=1), fresh=True, mode="quiet")
    assert len(open_source(f"{memory}/hq.zip")) == 1
    filesystem("memory").pipe_file("/bucket/hq.zip", b"another's")
    with pytest.raises(DataError, match=r"hq\.zip: was changed since this build wrote it"):
        build_dataset(replace(settings, count=1), mode="quiet")
    with pytest.raises(UsageError, match="--fresh removes only what a build made"):
        build_dataset(settings, fresh=True, mode="quiet")
    filesystem("memory").pipe_file("/bucket/other.zip", b"another's")
    with pytest.raises(DataError, match=r"other\.zip: exists and was not made by this build"):
        build_dataset(replace(settings, out=RemotePath(f"{memory}/other.zip")), mode="quiet")


def test_the_workspace_is_in_the_current_folder_and_belongs_to_one_output(
    memory: str, here: Path, few: Path
) -> None:
    settings = _settings(few, f"{memory}/hq.zip")
    assert workspace_of(settings.out) == here / "hq.zip.build"
    build_dataset(settings, mode="quiet")
    assert json.loads((here / "hq.zip.build" / "summary.json").read_text())["out"] == (
        f"{memory}/hq.zip"
    )
    with pytest.raises(DataError, match=r"is the workspace of memory://bucket/hq\.zip; build"):
        build_dataset(_settings(few, f"{memory}/a/hq.zip"), mode="quiet")


def test_places_that_cannot_be_are_refused_at_once(memory: str, here: Path, few: Path) -> None:
    upload(few, RemotePath(f"{memory}/wild"))
    with pytest.raises(UsageError, match="lies among the photographs"):
        plan_build(_settings(f"{memory}/wild", f"{memory}/wild/img_celeba/hq"))
    with pytest.raises(UsageError, match="objects lie below this name"):
        plan_build(_settings(few, f"{memory}/wild", format="zip"))
    with pytest.raises(UsageError, match="https:// is only read"):
        plan_build(_settings(few, "https://127.0.0.1/hq"))


def test_the_page_of_a_remote_build_shows_its_pictures(memory: str, here: Path, few: Path) -> None:
    settings = _settings(few, f"{memory}/hq")
    page = build_html(settings, build_dataset(settings, mode="quiet"), command="build")
    assert f"{memory}/hq".encode() in page
    assert b"crop original" in page
