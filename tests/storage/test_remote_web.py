"""Sets on a web server on loopback, which serves no parts of files, as the simplest do."""

import functools
import http.server
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from stored_sets import records, written

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.storage import FormatName, open_source

pytestmark = pytest.mark.usefixtures("remote_cache")
pytest.importorskip("aiohttp")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The server's URL, and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()


@pytest.mark.parametrize(
    ("name", "format_name"),
    [("set.zip", "zip"), ("set.h5", "hdf5"), ("set.tar", "webdataset"), ("set.npz", "numpy")],
)
def test_a_file_of_a_web_server_is_copied_and_read(
    web: tuple[str, Path], name: str, format_name: FormatName
) -> None:
    url, folder = web
    made = records(4)
    written(folder / name, made, format_name)
    source = pickle.loads(pickle.dumps(open_source(f"{url}/{name}")))
    for got, wanted in zip(source, made, strict=True):
        assert got.key == wanted.key
        assert np.array_equal(got.image, wanted.image)
    assert str(source.path) == f"{url}/{name}"


def test_what_a_web_server_does_not_have_is_told(web: tuple[str, Path]) -> None:
    url, folder = web
    with pytest.raises(UsageError, match=rf"{url}/none\.zip: no such file or folder"):
        open_source(f"{url}/none.zip")
    written(folder / "pictures", records(2), "folder")
    with pytest.raises(DataError, match=rf"{url}/pictures: not a data set"):
        open_source(f"{url}/pictures")
