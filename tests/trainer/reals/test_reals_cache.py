import fcntl
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from child_processes import Children
from square_sets import reals_of, write_squares

import reference_trainer.reals.cache as cache_module
from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.imaging import encode_png
from pgan_toolkit.storage import FORMATS, FormatName, StoredSource, open_source
from reference_trainer.reals.cache import (
    cacheable_resolutions,
    levels_bytes,
    pictures_identity,
)
from reference_trainer.reals.squares import SquareReader


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The indices of pictures that were decoded, as they come."""
    indices: list[int] = []
    read = SquareReader.read

    def counted(self: SquareReader, index: int, *resolutions: int) -> list[np.ndarray]:
        indices.append(index)
        return read(self, index, *resolutions)

    monkeypatch.setattr(SquareReader, "read", counted)
    return indices


@pytest.mark.parametrize("format_name", FORMATS)
def test_gives_the_same_as_no_cache_and_decodes_once(
    tmp_path: Path, format_name: FormatName, decoded: list[int]
) -> None:
    write_squares(tmp_path / "set", format_name=format_name)
    plain = reals_of(tmp_path / "set")
    expected = [plain.batch(3, 20, size).images for size in (4, 8, 16)]
    decoded.clear()
    for _ in range(2):  # made, then found
        cached = reals_of(tmp_path / "set", cache=tmp_path / "cache")
        for images, size in zip(expected, (4, 8, 16), strict=True):
            assert torch.equal(images, cached.batch(3, 20, size).images)
    assert sorted(decoded) == list(range(10))


def test_files_are_plain_npy(tmp_path: Path) -> None:
    images = write_squares(tmp_path / "set")
    reals_of(tmp_path / "set", cache=tmp_path / "cache")
    (place,) = _places(tmp_path / "cache")
    assert sorted(file.name for file in place.iterdir()) == ["16.npy", "4.npy", "8.npy"]
    assert np.array_equal(np.load(place / "16.npy"), images)


def _places(cache: Path) -> list[Path]:
    return [entry for entry in cache.iterdir() if entry.is_dir()]


def test_a_changed_picture_is_noticed(tmp_path: Path) -> None:
    write_squares(tmp_path / "set")
    reals_of(tmp_path / "set", cache=tmp_path / "cache")
    (tmp_path / "set" / "0004.png").write_bytes(encode_png(np.full((16, 16, 3), 9, np.uint8)))
    changed = reals_of(tmp_path / "set", cache=tmp_path / "cache")
    assert (changed.pictures([4], 8) == 9).all()
    assert len(_places(tmp_path / "cache")) == 2


@pytest.mark.parametrize("format_name", FORMATS)
def test_identity_goes_by_contents_and_not_by_place(
    tmp_path: Path, format_name: FormatName
) -> None:
    write_squares(tmp_path / "set", format_name=format_name)
    first = pictures_identity(open_source(tmp_path / "set"))
    shutil.move(tmp_path / "set", tmp_path / "moved")
    assert pictures_identity(open_source(tmp_path / "moved")) == first
    changed = tmp_path / "moved"
    if changed.is_dir():
        changed = min(file for file in changed.rglob("*") if file.is_file())
    os.utime(changed, ns=(0, 0))
    assert pictures_identity(open_source(tmp_path / "moved")) != first


def test_an_added_a_removed_and_a_renamed_picture_are_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_squares(folder)
    found = {pictures_identity(open_source(folder))}
    shutil.copy2(folder / "0000.png", folder / "added.png")
    found.add(pictures_identity(open_source(folder)))
    (folder / "added.png").rename(folder / "renamed.png")
    found.add(pictures_identity(open_source(folder)))
    (folder / "0005.png").unlink()
    found.add(pictures_identity(open_source(folder)))
    assert len(found) == 4


def test_a_set_that_is_no_file_is_refused(tmp_path: Path) -> None:
    write_squares(tmp_path / "set")
    source = open_source(tmp_path / "set")
    source.format = "run"
    with pytest.raises(UsageError, match=r"'run' cannot be trained on; write one of .* first"):
        pictures_identity(source)


KILLED = """
import sys, time
from pathlib import Path
from pgan_toolkit.storage import open_source
from reference_trainer.configuration.settings import DataSettings
from reference_trainer.reals import RealImages
from reference_trainer.reals.squares import SquareReader

read = SquareReader.read
def slow(self, index, *resolutions):
    if index == 6:
        print("half way", flush=True)
        time.sleep(60)
    return read(self, index, *resolutions)
SquareReader.read = slow
source = open_source(sys.argv[1])
RealImages(source, settings=DataSettings(resolution=16), seed=0, cache=Path(sys.argv[2]), workers=1)
"""


def test_a_kill_halfway_leaves_nothing_half_written(tmp_path: Path, children: Children) -> None:
    images = write_squares(tmp_path / "set")
    cache = tmp_path / "cache"
    with children.start(
        [sys.executable, "-c", KILLED, str(tmp_path / "set"), str(cache)],
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half way\n"
        process.send_signal(signal.SIGKILL)
    left = [entry.name for entry in _places(cache)]
    assert len(left) == 1
    assert left[0].endswith(".partial")
    again = reals_of(tmp_path / "set", cache=cache)
    assert np.array_equal(again.pictures(range(10), 16).numpy(), images)
    assert [entry.name.endswith(".partial") for entry in _places(cache)] == [False]


def test_a_damaged_picture_leaves_nothing(tmp_path: Path) -> None:
    write_squares(tmp_path / "set")
    file = tmp_path / "set" / "0007.png"
    file.write_bytes(file.read_bytes()[:-80])  # its header is as it was
    with pytest.raises(DataError, match=r"0007\.png"):
        reals_of(tmp_path / "set", cache=tmp_path / "cache")
    assert _places(tmp_path / "cache") == []
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_no_room_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[int]
) -> None:
    write_squares(tmp_path / "set")
    monkeypatch.setattr(cache_module.shutil, "disk_usage", lambda _: _Usage(100, 90, 10))
    with pytest.raises(SetupError, match=r"cache: .* GiB are free.*PGAN_TOOLKIT_CACHE") as caught:
        reals_of(tmp_path / "set", cache=tmp_path / "cache")
    assert caught.value.exit_code == 4
    assert decoded == []


def test_a_disk_that_fills_meanwhile_is_told(tmp_path: Path) -> None:
    """A limit of the size of files stands for the disk: writing then fails in the same way."""
    write_squares(tmp_path / "set")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
    try:
        with pytest.raises(SetupError, match=r"cannot be kept there \(File too large\); make room"):
            reals_of(tmp_path / "set", cache=tmp_path / "cache")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert _places(tmp_path / "cache") == []


def test_a_place_that_is_a_file_is_told(tmp_path: Path) -> None:
    write_squares(tmp_path / "set")
    (tmp_path / "cache").write_text("")
    with pytest.raises(SetupError, match="cache: the reduced pictures"):
        reals_of(tmp_path / "set", cache=tmp_path / "cache")


@pytest.mark.parametrize("keep_bytes", [0, 50, 1000])
def test_a_shortened_file_is_told_with_the_remedy(tmp_path: Path, keep_bytes: int) -> None:
    write_squares(tmp_path / "set")
    reals_of(tmp_path / "set", cache=tmp_path / "cache")
    (place,) = _places(tmp_path / "cache")
    os.truncate(place / "8.npy", keep_bytes)
    with pytest.raises(DataError, match=r"8\.npy: .*remove .*and it is made again"):
        reals_of(tmp_path / "set", cache=tmp_path / "cache")


def test_an_array_of_another_shape_is_told(tmp_path: Path) -> None:
    write_squares(tmp_path / "set")
    reals_of(tmp_path / "set", cache=tmp_path / "cache")
    (place,) = _places(tmp_path / "cache")
    np.save(place / "8.npy", np.zeros((3, 3, 8, 8), np.uint8))
    with pytest.raises(DataError, match=r"uint8 \(3, 3, 8, 8\); expected uint8 \(10, 3, 8, 8\)"):
        reals_of(tmp_path / "set", cache=tmp_path / "cache")


def test_a_second_process_waits_for_the_first(tmp_path: Path, decoded: list[int]) -> None:
    write_squares(tmp_path / "set")
    cache = tmp_path / "cache"
    reals_of(tmp_path / "set", cache=cache)
    (place,) = _places(cache)
    aside = place.rename(tmp_path / "aside")
    decoded.clear()
    with (cache / f".{place.name}.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found: list[bool] = []

        def second() -> None:
            found.append(reals_of(tmp_path / "set", cache=cache).is_prepared(16))

        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.2)
        assert found == []
        aside.rename(place)  # the first has finished
    thread.join(10)
    assert found == [True]
    assert decoded == []


def test_what_is_cached_and_how_much_that_is() -> None:
    assert cacheable_resolutions(1024) == (128, 64, 32, 16, 8, 4)
    assert cacheable_resolutions(16) == (16, 8, 4)
    assert cacheable_resolutions(28) == (28, 14, 7)
    assert levels_bytes(1, cacheable_resolutions(1024)) == 65_520
    assert levels_bytes(202_599, cacheable_resolutions(4096)) == 202_599 * 65_520


def test_a_vanished_file_is_named(tmp_path: Path) -> None:
    write_squares(tmp_path / "set")
    source: StoredSource = open_source(tmp_path / "set")
    (tmp_path / "set" / "0002.png").unlink()
    with pytest.raises(DataError, match=r"0002\.png: cannot be read"):
        pictures_identity(source)
