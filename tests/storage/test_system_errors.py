"""A full disk is told with the name of what is written, in every format, and leaves nothing."""

import errno
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from stored_sets import names, records

from pgan_toolkit.storage import FORMATS, lock_file, open_sink
from pgan_toolkit.storage.system_errors import naming_errors

INSTALLED = tuple(name for name in FORMATS if name != "lmdb" or find_spec("lmdb") is not None)
FULL_DISK = """
import resource, signal, sys
import numpy as np
from pgan_toolkit.storage import Record, open_sink
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
most = int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
try:
    with open_sink(sys.argv[1], format=sys.argv[2]) as sink:
        for number in range(5):
            sink.write(Record(str(number), noise, 0))
except OSError as error:
    print(error)
"""


def _told(path: Path, format_name: str, most_bytes: int) -> str:
    """Return the error of writing with a limit on the size of files, which fails as a full disk."""
    command = [sys.executable, "-c", FULL_DISK, str(path), format_name, str(most_bytes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.parametrize("most_bytes", [0, 100_000])
@pytest.mark.parametrize("format_name", INSTALLED)
def test_a_full_disk_is_told_with_the_set_and_leaves_nothing(
    tmp_path: Path, format_name: str, most_bytes: int
) -> None:
    told = _told(tmp_path / "set", format_name, most_bytes)
    if (format_name, most_bytes) == ("lmdb", 100_000):  # which takes a short write for this
        assert told.startswith(f"{tmp_path}/set: LMDB could not write")
        assert "Input/output error); the disk may be full" in told
    else:
        assert told == f"[Errno 27] File too large: '{tmp_path}/set'"
    assert names(tmp_path) == []


def test_of_a_remote_set_the_place_where_it_is_made_is_told(
    memory: str, remote_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sink = open_sink(f"{memory}/set.zip")
    monkeypatch.setattr("zipfile.ZipFile.writestr", full)
    with pytest.raises(OSError, match="No space left") as caught:
        sink.write(records(1)[0])
    sink.discard()
    assert Path(caught.value.filename).is_relative_to(remote_cache)


@pytest.mark.parametrize("error", [OSError("no number"), RuntimeError("none"), ValueError("x")])
def test_what_is_no_error_of_the_system_is_raised_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, naming_errors("a.zip"):
        raise error
    assert caught.value is error


def test_a_file_that_is_named_already_is_not_renamed() -> None:
    with pytest.raises(FileNotFoundError) as caught, naming_errors("a.zip"):
        Path("/none/at/all").read_bytes()
    assert caught.value.filename == "/none/at/all"


def test_the_error_is_of_the_class_of_its_number() -> None:
    told = r"Permission denied: 'a\.zip'"
    with pytest.raises(PermissionError, match=told), naming_errors("a.zip"):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))


def test_what_hdf5_tells_in_words_becomes_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match=r"No space left on device: 'a\.h5'"), naming_errors("a.h5"):
        raise RuntimeError("Can't write (file write failed: errno = 28, error message = 'full')")


def test_a_lock_that_finds_no_room_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*/lock'"),
        lock_file(tmp_path / "lock", work="build"),
    ):
        pass
