"""Every format in a remote storage, without a server: fsspec's storage in memory."""

import io
import pickle
import re
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import fsspec
import numpy as np
import pytest
from stored_sets import picture, records

from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.storage import (
    FORMATS,
    FormatName,
    Record,
    RemotePath,
    convert,
    open_sink,
    open_source,
)
from pgan_toolkit.storage.inspection import inspect
from pgan_toolkit.storage.remote.copies import LIMIT_VARIABLE
from pgan_toolkit.storage.remote.ranges import BLOCK_BYTES, BlockCache, RangeFile, RangeReader
from pgan_toolkit.storage.remote.uploads import INCOMPLETE, remove_remote, upload

pytestmark = pytest.mark.usefixtures("remote_cache")


def _written(place: str, format_name: FormatName, count: int = 5) -> list[Record]:
    made = records(count, size=16)
    with open_sink(place, format=format_name) as sink:
        for record in made:
            sink.write(record)
    return made


@pytest.mark.parametrize("format_name", FORMATS)
def test_what_is_written_is_read_as_from_this_machine(
    format_name: FormatName, memory: str, tmp_path: Path, remote_cache: Path
) -> None:
    pytest.importorskip("lmdb")
    _written(f"{memory}/set", format_name)
    _written(str(tmp_path / "set"), format_name)
    remote, here = open_source(f"{memory}/set"), open_source(tmp_path / "set")
    assert str(remote.path) == f"{memory}/set"
    assert remote.format == here.format
    assert remote.keys() == here.keys()
    assert remote.labels() == here.labels()
    for source in (remote, pickle.loads(pickle.dumps(remote))):
        for index in range(len(here)):
            assert source[index].key == here[index].key
            assert np.array_equal(source[index].image, here[index].image)
            assert source.encoded(index) == here.encoded(index)
            assert source.info(index) == here.info(index)
            assert "memory://" in source.name(index)
            assert str(tmp_path) not in source.name(index)
    assert inspect(remote).sizes == inspect(here).sizes
    assert list((remote_cache / "staging").iterdir()) == []


@pytest.mark.parametrize("format_name", FORMATS)
def test_the_bytes_are_those_of_the_local_format(
    format_name: FormatName, memory: str, tmp_path: Path
) -> None:
    pytest.importorskip("lmdb")
    _written(f"{memory}/set", format_name)
    _written(str(tmp_path / "set"), format_name)
    store, here = fsspec.filesystem("memory"), tmp_path / "set"
    files = sorted(file for file in here.rglob("*") if file.is_file()) or [here]
    for file in files:
        name = f"/bucket/set/{file.relative_to(here)}" if here.is_dir() else "/bucket/set"
        assert store.cat_file(name) == file.read_bytes()
    assert len(store.find("/bucket/set")) == len(files)


def test_shards_are_named_by_a_pattern(memory: str) -> None:
    for number in range(2):
        with open_sink(f"{memory}/s-{number:02d}.tar") as sink:
            sink.write(Record(f"{number}", picture(8), None))
    assert open_source(f"{memory}/s-{{00..01}}.tar").keys() == ("0", "1")
    with pytest.raises(DataError, match=r"1 of 3 shards are missing, the first is s-02\.tar"):
        open_source(f"{memory}/s-{{00..02}}.tar")


def test_what_is_not_there_or_is_no_set_is_told_by_its_url(memory: str) -> None:
    with pytest.raises(UsageError, match=r"memory://bucket/none: no such file or folder"):
        open_source(f"{memory}/none")
    fsspec.filesystem("memory").pipe_file("/bucket/text.zip", b"PK\x03\x04 and no more")
    with pytest.raises(DataError, match=r"memory://bucket/text\.zip: the zip file is damaged"):
        open_source(f"{memory}/text.zip")
    fsspec.filesystem("memory").pipe_file("/bucket/notes/a.txt", b"x")
    with pytest.raises(DataError, match=r"memory://bucket/notes: .*holds no pictures, but 1 \.txt"):
        open_source(f"{memory}/notes")


def test_a_name_that_is_taken_is_refused_and_replaced_when_asked(memory: str) -> None:
    _written(f"{memory}/set", "folder", 5)
    with pytest.raises(UsageError, match=r"memory://bucket/set: exists already"):
        open_sink(f"{memory}/set", format="folder")
    with open_sink(f"{memory}/set", format="folder", overwrite=True) as sink:
        sink.write(Record("only", picture(8), None))
    assert open_source(f"{memory}/set").keys() == ("only",)
    assert len(fsspec.filesystem("memory").find("/bucket/set")) == 2
    with pytest.raises(UsageError, match="objects lie below this name"):
        open_sink(f"{memory}/set", format="zip", overwrite=True)


def test_other_peoples_objects_are_not_overwritten(memory: str) -> None:
    fsspec.filesystem("memory").pipe_file("/bucket/mine/thesis.tex", b"x")
    with pytest.raises(UsageError, match=r"thesis\.tex"):
        open_sink(f"{memory}/mine", format="folder", overwrite=True)


def test_a_sink_that_fails_leaves_nothing(memory: str) -> None:
    sink = open_sink(f"{memory}/set.zip")
    sink.write(Record("a", picture(8), None))
    sink.__exit__(RuntimeError, RuntimeError("stop"), None)
    assert not RemotePath(f"{memory}/set.zip").exists()


@pytest.mark.parametrize("name", ["set", "set.zip"])
def test_a_set_that_could_not_be_sent_is_kept_until_it_is(memory: str, name: str) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError("the quota is used up")

    sink = open_sink(f"{memory}/{name}")
    sink.write(Record("a", picture(8), None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(fsspec.filesystem("memory")), "pipe_file", refused)
        with pytest.raises(SetupError, match=rf"{memory}/{name}.*quota is used up") as told:
            sink.close()
    (kept,) = re.findall(r"kept as (.*): send it from there", str(told.value))
    assert open_source(kept).keys() == ("a",)
    with open_sink(f"{memory}/{name}") as sink:
        sink.write(Record("b", picture(8), None))
    assert open_source(f"{memory}/{name}").keys() == ("b",)
    assert not Path(kept).parent.exists()


def test_a_folder_that_is_half_sent_is_not_opened_and_is_replaced(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _written(str(tmp_path / "set"), "folder")
    store = type(fsspec.filesystem("memory"))
    sent: list[str] = []
    pipe = store.pipe_file

    def breaks(self: object, path: str, value: bytes, **more: object) -> None:
        sent.append(path)
        if len(sent) > 3:
            raise PermissionError("the quota is used up")
        pipe(self, path, value, **more)

    monkeypatch.setattr(store, "pipe_file", breaks)
    with pytest.raises(SetupError, match=r"access denied.*quota"):
        upload(tmp_path / "set", RemotePath(f"{memory}/set"))
    assert sent[0].endswith(INCOMPLETE)
    monkeypatch.undo()
    monkeypatch.setenv("PGAN_TOOLKIT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DataError, match="is being written, or its writing was broken off"):
        open_source(f"{memory}/set")
    _written(f"{memory}/set", "folder")  # without overwrite: what is incomplete counts as absent
    assert len(open_source(f"{memory}/set")) == 5


def test_the_labels_come_last_and_the_mark_goes_after_them(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _written(str(tmp_path / "set"), "folder")
    store = type(fsspec.filesystem("memory"))
    done: list[str] = []
    pipe, remove = store.pipe_file, store.rm_file

    def piped(store, path, value, **options):
        done.append(path)
        return pipe(store, path, value, **options)

    def removed(store, path):
        done.append(f"-{path}")
        return remove(store, path)

    monkeypatch.setattr(store, "pipe_file", piped)
    monkeypatch.setattr(store, "rm_file", removed)
    upload(tmp_path / "set", RemotePath(f"{memory}/set"))
    assert done[0] == f"/bucket/set/{INCOMPLETE}"
    assert done[-2:] == ["/bucket/set/dataset.json", f"-/bucket/set/{INCOMPLETE}"]
    assert len(done) == 5 + 3


def test_remote_folders_are_removed_whole(memory: str) -> None:
    _written(f"{memory}/set", "folder")
    _written(f"{memory}/settled", "folder")
    remove_remote(RemotePath(f"{memory}/set"))
    assert not RemotePath(f"{memory}/set").exists()
    assert len(open_source(f"{memory}/settled")) == 5


def test_a_web_server_is_only_read() -> None:
    pytest.importorskip("aiohttp")
    with pytest.raises(UsageError, match="https:// is only read"):
        open_sink("https://127.0.0.1/set.zip")


@pytest.mark.parametrize(
    ("scheme", "said"),
    [("gs", r"pip install 'pgan-toolkit\[gs\]'"), ("hf", r"pip install 'pgan-toolkit\[hf\]'")],
)
def test_a_missing_package_names_its_extra(
    scheme: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"install the package for {name}")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    monkeypatch.setattr("pgan_toolkit.storage.remote.connections._open", {})
    with pytest.raises(SetupError, match=said) as told:
        open_source(f"{scheme}://bucket/set")
    assert told.value.exit_code == 4


def test_an_unknown_scheme_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="nonsense://: not a storage that is known"):
        open_source("nonsense://bucket/set")


def test_a_copy_is_kept_for_the_next_and_never_stale(memory: str, remote_cache: Path) -> None:
    _written(f"{memory}/set.npz", "numpy", 5)
    old = open_source(f"{memory}/set.npz")
    copies = [path for path in (remote_cache / "remote").iterdir() if path.is_dir()]
    assert len(copies) == 1
    open_source(f"{memory}/set.npz")
    assert [path for path in (remote_cache / "remote").iterdir() if path.is_dir()] == copies
    with open_sink(f"{memory}/set.npz", overwrite=True) as sink:
        sink.write(Record("new", picture(9), None))
    assert open_source(f"{memory}/set.npz").keys() == ("new",)
    stale = pickle.loads(pickle.dumps(old))
    for path in copies:
        next(path.iterdir()).unlink()
    with pytest.raises(DataError, match="was replaced"):
        stale[0]


def test_an_archive_that_was_replaced_is_refused_by_a_worker(memory: str) -> None:
    _written(f"{memory}/set.zip", "zip", 5)
    source = open_source(f"{memory}/set.zip")
    with open_sink(f"{memory}/set.zip", overwrite=True) as sink:
        sink.write(Record("new", picture(9), None))
    with pytest.raises(DataError, match=r"set\.zip: was replaced since it was opened"):
        pickle.loads(pickle.dumps(source))[0]


def test_the_copies_are_bounded(
    memory: str, remote_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        _written(f"{memory}/{name}.npz", "numpy", 4)
    size = RemotePath(f"{memory}/a.npz").stat().st_size
    monkeypatch.setenv(LIMIT_VARIABLE, str(2.5 * size / 1e9))
    for name in "abc":
        open_source(f"{memory}/{name}.npz")
    kept = {path.name for path in (remote_cache / "remote").rglob("*.npz")}
    assert kept == {"b.npz", "c.npz"}
    monkeypatch.setenv(LIMIT_VARIABLE, str(0.5 * size / 1e9))
    with pytest.raises(SetupError, match=rf"a\.npz: takes .* raise \${LIMIT_VARIABLE}"):
        open_source(f"{memory}/a.npz")
    monkeypatch.setenv(LIMIT_VARIABLE, "much")
    with pytest.raises(SetupError, match="expected a number of GB"):
        open_source(f"{memory}/a.npz")


def test_parts_are_read_as_from_a_file(memory: str) -> None:
    data = np.random.default_rng(0).bytes(6 * BLOCK_BYTES + 77)
    fsspec.filesystem("memory").pipe_file("/bucket/data", data)
    path = RemotePath(f"{memory}/data")
    reader = RangeReader(path, path.stat())
    for offset, size in (
        (0, 10), (BLOCK_BYTES - 3, 6), (5, 2 * BLOCK_BYTES), (7, 5 * BLOCK_BYTES),
        (len(data) - 4, 100), (len(data) + 5, 1), (3, 0),
    ):  # fmt: skip
        assert reader.read(offset, size) == data[offset : offset + size]
    file = RangeFile(reader)
    assert file.seek(-10, 2) == len(data) - 10
    assert file.read() == data[-10:]
    assert file.seek(3) == 3
    assert file.read(5) == data[3:8]
    assert file.tell() == 8


def test_a_block_that_many_threads_want_is_fetched_once_and_the_oldest_go() -> None:
    cache, fetched, gate = BlockCache(most_blocks=2), [], threading.Event()

    def fetch(number: int) -> bytes:
        fetched.append(number)
        gate.wait(5)
        return bytes([number])

    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(cache.get, ("a", "", 1), lambda: fetch(1)) for _ in range(8)]
        gate.set()
        assert {each.result() for each in waiting} == {b"\x01"}
    assert fetched == [1]
    for number in (2, 3, 1):
        cache.get(("a", "", number), partial(fetch, number))
    assert fetched == [1, 2, 3, 1]


def test_a_block_that_failed_is_asked_for_again() -> None:
    cache = BlockCache()

    def fails() -> bytes:
        raise SetupError("no answer")

    with pytest.raises(SetupError):
        cache.get(("a", "", 0), fails)
    assert cache.get(("a", "", 0), lambda: b"x") == b"x"


def test_zip_members_are_held_against_their_checksums_and_may_be_compressed(memory: str) -> None:
    _written(f"{memory}/set.zip", "zip")
    store = fsspec.filesystem("memory")
    data = bytearray(store.cat_file("/bucket/set.zip"))
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, zipfile.ZipFile(io.BytesIO(data)).read(name))
    store.pipe_file("/bucket/packed.zip", packed.getvalue())
    source = open_source(f"{memory}/packed.zip")
    assert [source.encoded(i) for i in range(len(source))] == [
        zipfile.ZipFile(io.BytesIO(data)).read(name) for name in names if name.endswith(".png")
    ]
    data[60] ^= 1  # in the first picture
    store.pipe_file("/bucket/bad.zip", bytes(data))
    bad = open_source(f"{memory}/bad.zip")
    with pytest.raises(DataError, match=r"bad\.zip: f0/é 00\.png: damaged .*fail their checksum"):
        bad[0]
    assert bad[1].key == "f0/é 01"


def test_a_set_is_converted_between_storages(memory: str, tmp_path: Path) -> None:
    _written(f"{memory}/set.zip", "zip")
    source = open_source(f"{memory}/set.zip")
    with open_sink(tmp_path / "here.zip") as sink:
        convert(source, sink)
    store = fsspec.filesystem("memory")
    assert (tmp_path / "here.zip").read_bytes() == store.cat_file("/bucket/set.zip")
