"""What holds for every format: round trips, pickles, processes, nothing half-written."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_sets import names, picture, records, same, written

from pgan_toolkit.digests import pixel_digest
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.imaging import encode_png
from pgan_toolkit.storage import (
    FORMATS,
    FormatName,
    ImageSink,
    ImageSource,
    Record,
    StoredSource,
    convert,
    guess_format,
    open_sink,
    open_source,
)

INSTALLED = tuple(name for name in FORMATS if name != "lmdb" or find_spec("lmdb") is not None)
"""Formats whose packages are here; test_lmdb.py tells of its own when it is skipped."""
every_format = pytest.mark.parametrize("format_name", INSTALLED)


@pytest.mark.parametrize("second", INSTALLED)
@pytest.mark.parametrize("first", INSTALLED)
def test_conversion_keeps_everything(tmp_path: Path, first: FormatName, second: FormatName) -> None:
    source = open_source(written(tmp_path / "first", records(7), first))
    seen: list[int] = []
    with open_sink(tmp_path / "second", format=second) as sink:
        assert convert(source, sink, advance=lambda: seen.append(1)) == 7
    result = open_source(tmp_path / "second")
    assert result.format == second
    assert same(result, records(7))
    assert len(seen) == 7


@settings(max_examples=25, deadline=None)
@given(
    keys=st.lists(
        st.text("abcé/._- 0", min_size=1, max_size=8).filter(
            lambda key: all(part and part[0] != "." for part in key.split("/"))
        ),
        min_size=1,
        max_size=5,
        unique_by=str.casefold,
    ),
    format_name=st.sampled_from(INSTALLED),
)
def test_any_safe_keys_survive(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str], format_name: FormatName
) -> None:
    rows = [Record(key, picture(index), index) for index, key in enumerate(sorted(keys))]
    path = written(tmp_path_factory.mktemp("keys") / "set", rows, format_name)
    assert same(open_source(path), rows)


@every_format
def test_protocols_are_met(tmp_path: Path, format_name: FormatName) -> None:
    with open_sink(tmp_path / "set", format=format_name) as sink:
        assert isinstance(sink, ImageSink)
        sink.write(records()[0])
    assert isinstance(open_source(tmp_path / "set"), ImageSource)


@every_format
def test_encoded_pictures_are_taken(tmp_path: Path, format_name: FormatName) -> None:
    with open_sink(tmp_path / "set", format=format_name) as sink:
        sink.write_encoded("a", encode_png(picture(0)), 5)
        sink.write_encoded("b", encode_png(picture(1)))
    expected = [Record("a", picture(0), 5), Record("b", picture(1))]
    assert same(open_source(tmp_path / "set"), expected)


@every_format
def test_encoded_pictures_must_be_png(tmp_path: Path, format_name: FormatName) -> None:
    sink = open_sink(tmp_path / "set", format=format_name)
    with pytest.raises(DataError, match="a: expected the bytes of a PNG file"):
        sink.write_encoded("a", b"\xff\xd8\xff\xe0")
    sink.discard()


@every_format
def test_a_source_can_be_pickled_before_and_after_use(
    tmp_path: Path, format_name: FormatName
) -> None:
    source = open_source(written(tmp_path / "set", records(), format_name))
    assert same(pickle.loads(pickle.dumps(source)), records())
    assert same(source, records())
    assert same(pickle.loads(pickle.dumps(source)), records())


def digests(source: StoredSource) -> list[str]:
    return [pixel_digest(record.image) for record in source]


def send_digests(source: StoredSource, reply: Callable[[list[str]], None]) -> None:
    for _ in range(5):
        got = digests(source)
    reply(got)


@every_format
def test_forked_processes_and_their_parent_read_at_once(
    tmp_path: Path, format_name: FormatName
) -> None:
    source = open_source(written(tmp_path / "set", records(30), format_name))
    expected = digests(source)
    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe() for _ in range(2)]
    workers = [context.Process(target=send_digests, args=(source, send.send)) for _, send in pipes]
    for worker in workers:
        worker.start()
    assert digests(source) == expected
    for (receive, _), worker in zip(pipes, workers, strict=True):
        assert receive.poll(30)
        assert receive.recv() == expected
        worker.join()
        assert worker.exitcode == 0
    assert digests(source) == expected


def test_a_fresh_process_reads_a_pickle_of_any_format(tmp_path: Path) -> None:
    """What a spawned worker does, without the start method's cost for each format."""
    for format_name in INSTALLED:
        source = open_source(written(tmp_path / format_name, records(), format_name))
        (tmp_path / f"{format_name}.pickle").write_bytes(pickle.dumps(source))
    program = (
        "import pathlib, pickle, sys\n"
        "from pgan_toolkit.digests import pixel_digest\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).glob('*.pickle')):\n"
        "    print(*(pixel_digest(r.image) for r in pickle.loads(path.read_bytes())))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    expected = " ".join(pixel_digest(record.image) for record in records())
    assert done.stdout.splitlines() == [expected] * len(INSTALLED)


@every_format
def test_nothing_shows_before_close(tmp_path: Path, format_name: FormatName) -> None:
    sink = open_sink(tmp_path / "set", format=format_name)
    for record in records():
        sink.write(record)
        assert all(name.startswith(".") for name in names(tmp_path))
    sink.close()
    sink.close()
    assert names(tmp_path) == ["set"]


@every_format
def test_an_error_leaves_nothing(tmp_path: Path, format_name: FormatName) -> None:
    rows = [records()[0], records()[0]]
    with pytest.raises(DataError, match="same key"):
        written(tmp_path / "set", rows, format_name)
    assert names(tmp_path) == []


@every_format
def test_a_killed_writer_shows_nothing_under_the_name(
    tmp_path: Path, format_name: FormatName
) -> None:
    context = multiprocessing.get_context("fork")
    started = context.Event()
    writer = context.Process(target=write_forever, args=(tmp_path / "set", format_name, started))
    writer.start()
    assert started.wait(30)
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    assert all(name.startswith(".set.") for name in names(tmp_path))
    with pytest.raises(UsageError, match="no such file"):
        open_source(tmp_path / "set")


def write_forever(
    path: Path, format_name: FormatName, started: "multiprocessing.synchronize.Event"
) -> None:
    sink = open_sink(path, format=format_name)
    for index in range(10**6):
        sink.write(Record(str(index), picture(0)))
        if index == 20:
            started.set()
            time.sleep(60)


@every_format
def test_an_existing_target_is_refused_and_kept(tmp_path: Path, format_name: FormatName) -> None:
    path = written(tmp_path / "set", records(2), format_name)
    with pytest.raises(UsageError, match="exists already"):
        open_sink(path, format=format_name)
    assert same(open_source(path), records(2))
    assert names(tmp_path) == ["set"]


@pytest.mark.parametrize("old", INSTALLED)
@pytest.mark.parametrize("new", INSTALLED)
def test_overwrite_replaces_at_close(tmp_path: Path, old: FormatName, new: FormatName) -> None:
    path = written(tmp_path / "set", records(2), old)
    with open_sink(path, format=new, overwrite=True) as sink:
        sink.write(Record("new", picture(9)))
        assert same(open_source(path), records(2))
    assert same(open_source(path), [Record("new", picture(9))])
    assert names(tmp_path) == ["set"]


@every_format
def test_a_set_can_replace_its_own_source(tmp_path: Path, format_name: FormatName) -> None:
    source = open_source(written(tmp_path / "set", records(), format_name))
    with open_sink(tmp_path / "set", format=format_name, overwrite=True) as sink:
        convert(source, sink)
    assert same(open_source(tmp_path / "set"), records())


@every_format
def test_an_empty_set_is_not_made(tmp_path: Path, format_name: FormatName) -> None:
    with (
        pytest.raises(DataError, match="no picture was written"),
        open_sink(tmp_path / "set", format=format_name),
    ):
        pass
    assert names(tmp_path) == []


@every_format
def test_bad_records_are_refused(tmp_path: Path, format_name: FormatName) -> None:
    sink = open_sink(tmp_path / "set", format=format_name)
    with pytest.raises(DataError, match="starts with a dot"):
        sink.write(Record("../a", picture(0)))
    with pytest.raises(DataError, match="the label is -1"):
        sink.write(Record("a", picture(0), -1))
    sink.discard()
    with pytest.raises(UsageError, match="closed"):
        sink.write(Record("b", picture(0)))
    assert names(tmp_path) == []


def test_format_goes_by_the_name() -> None:
    assert guess_format("a/b.zip") == "zip"
    assert guess_format("b.H5") == "hdf5"
    assert guess_format("b.hdf5") == "hdf5"
    assert guess_format("faces.v2") == "folder"


@pytest.mark.parametrize("name", ["set.png", "set.JPG", "set.gif"])
def test_a_dataset_does_not_take_the_name_of_a_picture(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="has the name of a picture, and a dataset is made"):
        open_sink(tmp_path / name)
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["data.mdb", "a.npy", "a.7z"])
def test_formats_that_cannot_be_written_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="folder, zip, hdf5, hdf5-multires"):
        open_sink(tmp_path / name)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "the folder is empty; expected a folder of pictures, a zip file, an HDF5 file"),
        ({".hidden.png": b""}, "holds hidden files only"),
        ({"a.txt": b"", "b.txt": b"", "c": b""}, "no pictures, but 2 .txt, 1 without extension"),
        ({"img_celeba.7z.001": b"", "img_celeba.7z.002": b""}, "7z x img_celeba.7z.001"),
        ({"data.mdb": b""}, r"data\.mdb: the LMDB file is damaged"),
        ({"a-r08.tfrecords": b"x"}, r"a-r08\.tfrecords: record 0 is damaged"),
        ({"a-r08.tfrecords": b""}, "the folder is empty"),
        ({"00000.tar": b""}, r"00000\.tar: the tar file is damaged"),
        ({"faces.zip": b""}, "open faces.zip itself"),
    ],
)
def test_folders_without_pictures_say_what_was_found(
    tmp_path: Path, files: dict[str, bytes], message: str
) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message) as caught:
        open_source(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("img_celeba.7z.014", "7z x img_celeba.7z.001"),
        ("a.7z", "7z x a.7z"),
        ("a.tfrecords", "record 0 is damaged"),
        ("a.tar", "tar file is damaged"),
        ("a.npz", "NumPy file is damaged"),
        ("a.mdb", "LMDB file is damaged"),
        ("a.txt", "not a data set"),
        ("a.zip", "zip file is damaged"),
        ("a.h5", "HDF5 file is damaged"),
    ],
)
def test_other_files_say_what_they_are(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(DataError, match=message):
        open_source(tmp_path / name)


def test_contents_decide_not_the_extension(tmp_path: Path) -> None:
    path = written(tmp_path / "set.dat", records(), "hdf5")
    assert open_source(path).format == "hdf5"
    path = written(tmp_path / "other.dat", records(), "zip")
    assert open_source(str(path)).format == "zip"


def test_missing_paths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        open_source(tmp_path / "gone")


def test_hdf5_keeps_an_order_that_is_not_sorted(tmp_path: Path) -> None:
    rows = list(reversed(records()))
    assert same(open_source(written(tmp_path / "set", rows, "hdf5")), rows)


@pytest.mark.shared_data
def test_real_pictures_survive_all_formats(shared_data: Path, tmp_path: Path) -> None:
    source = open_source(shared_data / "celeba_hq_samples")
    few = [source[index] for index in (0, 9, 27)]
    paths = [written(tmp_path / name, few, name) for name in INSTALLED]
    for path in paths:
        for got, expected in zip(open_source(path), few, strict=True):
            assert got.key == expected.key
            assert np.array_equal(got.image, expected.image)
