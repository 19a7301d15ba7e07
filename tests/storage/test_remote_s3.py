"""Remote storage against a real S3 server on loopback, which fails as the real ones do."""

import os
import pickle
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from child_processes import Children
from remote_storage import SECRET, Faults
from stored_sets import picture, records

from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.storage import FORMATS, FormatName, Record, RemotePath, open_sink, open_source
from pgan_toolkit.storage.remote import connections, ranges, retrying, uploads
from pgan_toolkit.storage.remote.connections import filesystem
from pgan_toolkit.storage.remote.retrying import RetryPolicy
from pgan_toolkit.storage.remote.uploads import upload

pytestmark = [pytest.mark.usefixtures("remote_cache"), pytest.mark.slow]
PART_BYTES = 5 << 20  # the least that S3 takes
IMPATIENT: dict[object, object] = {}
"""Connections of the impatient tests, shared, for each takes long to make."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> RetryPolicy:
    """Connections that wait little, and for little."""
    policy = RetryPolicy(attempts=4, first_wait_s=0.01, read_timeout_s=0.5, connect_timeout_s=1)
    monkeypatch.setattr(retrying, "POLICY", policy)
    monkeypatch.setattr(connections, "_open", IMPATIENT)
    return policy


@pytest.fixture
def impatient_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that sends a part once."""
    monkeypatch.setattr(retrying, "POLICY", RetryPolicy(attempts=1))
    monkeypatch.setattr(connections, "_open", {})


def _written(place: str, format_name: FormatName, count: int = 4) -> list[Record]:
    made = records(count, size=16)
    with open_sink(place, format=format_name) as sink:
        for record in made:
            sink.write(record)
    return made


def _parts_left(bucket: str) -> int:
    name = bucket.removeprefix("s3://")
    return len(filesystem("s3").call_s3("list_multipart_uploads", Bucket=name).get("Uploads", []))


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_goes_to_s3_and_back(bucket: str, format_name: FormatName) -> None:
    pytest.importorskip("lmdb")
    made = _written(f"{bucket}/a/set", format_name)
    source = pickle.loads(pickle.dumps(open_source(f"{bucket}/a/set")))
    assert len(source) == len(made)
    for got, wanted in zip(source, made, strict=True):
        assert (got.key, got.label) == (wanted.key, wanted.label)
        assert np.array_equal(got.image, wanted.image)


def test_a_folder_is_read_by_one_request_a_picture_and_a_zip_by_blocks(
    s3: Faults, bucket: str
) -> None:
    _written(f"{bucket}/set", "folder", 9)
    _written(f"{bucket}/set.zip", "zip", 9)
    source = open_source(f"{bucket}/set")
    s3.requests.clear()
    list(source)
    assert len(s3.requests) == 9
    source = open_source(f"{bucket}/set.zip")
    s3.requests.clear()
    list(source)
    assert len(s3.requests) == 0  # the one block came with the directory


@pytest.mark.parametrize("kind", ["503", "drop", "slow"])
@pytest.mark.parametrize("name", ["set", "set.zip", "set.npz"])
@pytest.mark.usefixtures("impatient")
def test_a_storage_that_fails_for_a_while_gives_the_same_pictures(
    s3: Faults, bucket: str, kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    formats: dict[str, FormatName] = {"set": "folder", "set.zip": "zip", "set.npz": "numpy"}
    made = _written(f"{bucket}/{name}", formats[name], 3)
    monkeypatch.setattr(ranges, "_blocks", ranges.BlockCache())
    s3.add(kind, count=2, method="GET")
    source = open_source(f"{bucket}/{name}")
    assert [np.array_equal(a.image, b.image) for a, b in zip(source, made, strict=True)] == [
        True
    ] * 3
    assert s3.waiting[0][2] == [0]  # the faults were met


def test_a_storage_that_fails_for_good_is_told_with_its_url(
    s3: Faults, bucket: str, impatient: RetryPolicy
) -> None:
    _written(f"{bucket}/set", "folder")
    source = open_source(f"{bucket}/set")
    s3.requests.clear()
    s3.add("503", count=1000, method="GET")
    with pytest.raises(SetupError, match=rf"{bucket}/set/f0/é 00\.png: .*503.*4 attempts") as told:
        source[0]
    assert len(s3.requests) == impatient.attempts
    assert SECRET not in str(told.value)


def test_a_server_that_is_not_there_is_told(
    bucket: str, monkeypatch: pytest.MonkeyPatch, impatient: RetryPolicy
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(connections, "_open", {})
    with pytest.raises(SetupError, match=rf"{bucket}/set: the storage does not answer") as told:
        open_source(f"{bucket}/set")
    assert told.value.exit_code == 4
    assert f"{impatient.attempts} attempts" in str(told.value)


def test_missing_credentials_are_told(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_open", {})
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    with pytest.raises(SetupError, match=r"no credentials.*never from arguments"):
        open_source(f"{bucket}/set")


def test_a_missing_bucket_or_object_is_no_set(bucket: str) -> None:
    for url in (f"{bucket}/none", f"{bucket}-none/set.zip"):
        with pytest.raises(UsageError, match=rf"{url}: no such file or folder"):
            open_source(url)


def test_an_object_that_vanishes_is_that_pictures_fault(bucket: str) -> None:
    _written(f"{bucket}/set", "folder")
    source = open_source(f"{bucket}/set")
    filesystem("s3").rm(f"{bucket}/set/f0/é 01.png")
    assert source[0].key == "f0/é 00"
    with pytest.raises(DataError, match=r"é 01\.png: cannot be read .there is no such object"):
        source[1]


def test_an_archive_that_is_replaced_while_it_is_read_is_refused(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _written(f"{bucket}/set.h5", "hdf5")
    source = open_source(f"{bucket}/set.h5")
    source[0]
    with open_sink(f"{bucket}/set.h5", overwrite=True) as sink:
        sink.write(Record("other", picture(7, height=16, width=16), None))
    monkeypatch.setattr(ranges, "_blocks", ranges.BlockCache())  # what was read is forgotten
    with pytest.raises(DataError, match=r"set\.h5: was replaced while it was read"):
        source._archive.read(0, 10)  # type: ignore[attr-defined]


def _large(path: Path) -> Path:
    path.write_bytes(np.random.default_rng(0).bytes(3 * PART_BYTES + 5))
    return path


def test_a_large_file_is_sent_in_parts_that_are_sent_again(
    s3: Faults, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_PART_BYTES", PART_BYTES)
    large = _large(tmp_path / "large")
    s3.add("503", count=1, method="PUT", path="partNumber=2")
    upload(large, RemotePath(f"{bucket}/large"))
    assert RemotePath(f"{bucket}/large").read_bytes() == large.read_bytes()
    parts = [path for method, path in s3.requests if method == "PUT" and "partNumber" in path]
    assert len(parts) == 4 + 1
    assert _parts_left(bucket) == 0


@pytest.mark.usefixtures("impatient_sender")
def test_an_upload_that_fails_leaves_neither_object_nor_parts(
    s3: Faults, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_PART_BYTES", PART_BYTES)
    s3.add("503", count=10_000, method="PUT", path="partNumber=3")
    with pytest.raises(SetupError, match=rf"{bucket}/large: the storage does not answer"):
        upload(_large(tmp_path / "large"), RemotePath(f"{bucket}/large"))
    assert not RemotePath(f"{bucket}/large").exists()
    assert _parts_left(bucket) == 0


def test_an_upload_that_is_interrupted_takes_its_parts_back(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_PART_BYTES", PART_BYTES)
    kind = type(filesystem("s3", uploading=True).open(f"{bucket}/x", "wb", autocommit=False))

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(kind, "commit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        upload(_large(tmp_path / "large"), RemotePath(f"{bucket}/large"))
    assert not RemotePath(f"{bucket}/large").exists()
    assert _parts_left(bucket) == 0


KILLED = """
import sys
from pathlib import Path
from pgan_toolkit.storage import RemotePath
from pgan_toolkit.storage.remote import uploads
uploads._PART_BYTES = 5 << 20
uploads.upload(Path(sys.argv[1]), RemotePath(sys.argv[2]))
"""


@pytest.mark.parametrize("what", ["file", "folder"])
def test_an_upload_that_is_killed_shows_nothing_under_the_final_name(
    s3: Faults, bucket: str, tmp_path: Path, what: str, children: Children
) -> None:
    if what == "file":
        made = _large(tmp_path / "large")
        s3.add("hold", count=100, method="PUT", path="partNumber=3")
    else:
        made = tmp_path / "set"
        _written(str(made), "folder", 9)
        s3.add("hold", count=100, method="PUT", path="07.png")
    child = children.start([sys.executable, "-c", KILLED, str(made), f"{bucket}/out"])
    deadline = time.monotonic() + 60
    while s3.waiting[0][2] == [100] and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert s3.waiting[0][2] != [100]
    if what == "file":
        assert not RemotePath(f"{bucket}/out").exists()
    else:
        with pytest.raises(DataError, match="its writing was broken off"):
            open_source(f"{bucket}/out")
    s3.waiting.clear()
    upload(made, RemotePath(f"{bucket}/out"))
    if what == "file":
        assert RemotePath(f"{bucket}/out").read_bytes() == made.read_bytes()
    else:
        assert len(open_source(f"{bucket}/out")) == 9
