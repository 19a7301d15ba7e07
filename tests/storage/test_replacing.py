"""What `overwrite` replaces: a data set of any format, and no folder that holds anything else."""

import os
from importlib.util import find_spec
from pathlib import Path

import fsspec
import pytest
from stored_sets import names, picture, records, same, written

from pgan_toolkit.errors import UsageError
from pgan_toolkit.storage import FORMATS, FormatName, Record, open_sink, open_source
from pgan_toolkit.storage.remote.uploads import INCOMPLETE

INSTALLED = tuple(name for name in FORMATS if name != "lmdb" or find_spec("lmdb") is not None)
every_format = pytest.mark.parametrize("format_name", INSTALLED)
OTHER_FILES = (
    "thesis.tex",
    "sub/thesis.tex",
    "sub/dataset.json",
    ".git/HEAD",
    ".git/objects/a.png",
    "sub/.svn/a.png",
    ".notes",
    ".hidden.png",
    ".set.0123abcd.replaced/a.png",
)
LEFTOVERS = (
    ".DS_Store",
    "sub/.DS_Store",
    "._a.png",
    ".a.png.0123abcd.partial",
    ".sub.0123abcd.partial/.deep/a",
)


def _add(folder: Path, name: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"years of work")
    return file


@every_format
@pytest.mark.parametrize("name", OTHER_FILES)
def test_a_folder_that_holds_other_files_is_kept(
    tmp_path: Path, format_name: FormatName, name: str
) -> None:
    file = _add(written(tmp_path / "set", records(2), "folder"), name)
    with pytest.raises(UsageError, match="set: holds files that are no data set's") as caught:
        open_sink(tmp_path / "set", format=format_name, overwrite=True)
    assert repr(name) in str(caught.value)
    assert file.read_bytes() == b"years of work"
    assert names(tmp_path) == ["set"]


@pytest.mark.parametrize("name", LEFTOVERS)
def test_what_nobody_misses_does_not_keep_a_folder(tmp_path: Path, name: str) -> None:
    _add(written(tmp_path / "set", records(2), "folder"), name)
    with open_sink(tmp_path / "set", overwrite=True) as sink:
        sink.write(Record("new", picture(9)))
    assert names(tmp_path / "set") == ["dataset.json", "new.png"]


def test_what_a_link_leads_to_is_neither_looked_at_nor_removed(tmp_path: Path) -> None:
    file = _add(tmp_path / "elsewhere", "thesis.tex")
    written(tmp_path / "set", records(2), "folder")
    (tmp_path / "set" / "more").symlink_to(tmp_path / "elsewhere")
    with open_sink(tmp_path / "set", overwrite=True) as sink:
        sink.write(Record("new", picture(9)))
    assert same(open_source(tmp_path / "set"), [Record("new", picture(9))])
    assert file.exists()


def test_a_folder_that_cannot_be_read_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "set", records(2), "folder")
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("f0"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UsageError, match=r"set/f0: the folder cannot be read \(Permission denied"):
        open_sink(tmp_path / "set", overwrite=True)


@pytest.mark.usefixtures("remote_cache")
@pytest.mark.parametrize("name", ["thesis.tex", ".git/HEAD", ".gitattributes"])
def test_other_objects_of_a_remote_storage_are_kept(memory: str, name: str) -> None:
    store = fsspec.filesystem("memory")
    store.pipe_file(f"/bucket/set/{name}", b"years of work")
    store.pipe_file("/bucket/set/a.png", b"")
    with pytest.raises(UsageError, match=rf"holds files .* such as '{name}'"):
        open_sink(f"{memory}/set", format="folder", overwrite=True)


@pytest.mark.usefixtures("remote_cache")
def test_a_remote_folder_that_is_half_sent_is_replaced(memory: str) -> None:
    fsspec.filesystem("memory").pipe_file(f"/bucket/set/{INCOMPLETE}", b"")
    with open_sink(f"{memory}/set", format="folder", overwrite=True) as sink:
        sink.write(Record("new", picture(9)))
    assert open_source(f"{memory}/set").keys() == ("new",)
