"""Only files are read, and what cannot be read is named."""

import os
from pathlib import Path

import pytest

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage import open_source, read_file


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.jpg")
    with pytest.raises(DataError, match=r"x\.jpg: not a file"):
        read_file(tmp_path / "x.jpg")
    with pytest.raises(DataError, match=r"x\.jpg: not a file"):
        open_source(tmp_path)[0]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.jpg: cannot be read \(No such file"):
        read_file(tmp_path / "gone.jpg")


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"123")
    assert read_file(tmp_path / "a") == b"123"
