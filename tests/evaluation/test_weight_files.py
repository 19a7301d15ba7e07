"""Weight files: where they are looked for, what is taken for one, and downloads that go wrong."""

import dataclasses
import hashlib
import re
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from child_processes import Children
from file_server import CONTENT, Handler, Server
from safetensors.torch import save_file

from pgan_toolkit.caches import CACHE_VARIABLE, cache_folder
from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.evaluation import downloads
from pgan_toolkit.evaluation.weight_files import (
    WEIGHTS_VARIABLE,
    PublicFile,
    find_weights,
    public_file,
    read_tensors,
    require_tensors,
)
from pgan_toolkit.storage import lock_file

DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    return cache_folder("weights")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as made:
        made.requests = []
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def file(server: Server) -> PublicFile:
    url = f"http://127.0.0.1:{server.server_port}/net-{DIGEST[:8]}.pth"
    return PublicFile(f"net-{DIGEST[:8]}.pth", len(CONTENT), DIGEST, url)


def _find(file: PublicFile, **options: Any) -> Path:
    return find_weights(file, progress="quiet", **options)


def _only(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir() if entry.suffix != ".lock"}


def test_a_named_file_goes_before_all(file: PublicFile, cache: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.safetensors"
    mine.write_bytes(b"")
    assert _find(file, weights=mine) == mine
    assert not cache.exists()


def test_a_named_file_that_is_none_is_wrong_usage(file: PublicFile, server: Server) -> None:
    with pytest.raises(UsageError, match=r"--weights none\.pth: no such file") as caught:
        _find(file, weights=Path("none.pth"))
    for part in (file.name, DIGEST, file.url, "leave it out"):
        assert part in str(caught.value)
    assert server.requests == []


def test_the_named_folder_goes_before_the_cache_and_that_before_a_download(
    file: PublicFile, server: Server, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(folder))
    assert _find(file) == cache / file.name
    assert len(server.requests) == 1
    assert _find(file) == cache / file.name
    assert len(server.requests) == 1
    (folder / file.name).write_bytes(b"")
    assert _find(file) == folder / file.name


def test_a_named_folder_that_is_none_is_refused(
    file: PublicFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, "/nowhere/at-all")
    with pytest.raises(SetupError, match=f"{WEIGHTS_VARIABLE}=/nowhere/at-all: not a folder"):
        _find(file)


def test_the_variable_of_all_caches_moves_the_weights_too(
    file: PublicFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "mine"))
    assert _find(file) == tmp_path / "mine" / "weights" / file.name


def test_without_downloads_the_message_says_what_and_where(file: PublicFile, cache: Path) -> None:
    with pytest.raises(SetupError) as caught:
        _find(file, download=False)
    for part in (file.name, DIGEST, file.url, str(cache), WEIGHTS_VARIABLE, "--weights"):
        assert part in str(caught.value)
    assert caught.value.exit_code == 4


def test_a_download_is_complete_and_leaves_nothing_else(file: PublicFile, cache: Path) -> None:
    path = _find(file)
    assert path.read_bytes() == CONTENT
    assert _only(cache) == {file.name}


def test_the_first_digits_of_a_digest_are_enough(file: PublicFile) -> None:
    assert _find(dataclasses.replace(file, sha256=DIGEST[:8])).read_bytes() == CONTENT


def test_a_broken_connection_is_continued(file: PublicFile, server: Server) -> None:
    server.breaks_after = 1_300_000
    assert _find(file).read_bytes() == CONTENT
    assert server.requests == [None, "bytes=1300000-"]


def test_a_later_call_continues_what_an_earlier_one_left(
    file: PublicFile, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.breaks_after = 1_500_000
    with monkeypatch.context() as patched:
        patched.setattr(downloads, "_ATTEMPTS", 1)
        with pytest.raises(SetupError, match=r"ended after 1,500,000 .* are kept in .*part"):
            _find(file)
    assert _only(cache) == {f"{file.name}.part"}
    assert _find(file).read_bytes() == CONTENT
    assert server.requests[1:] == ["bytes=1500000-"]
    assert _only(cache) == {file.name}


def test_a_server_that_knows_no_ranges_is_read_from_the_start(
    file: PublicFile, server: Server
) -> None:
    server.ranges, server.breaks_after = False, 1_000_000
    assert _find(file).read_bytes() == CONTENT
    assert len(server.requests) == 2


@pytest.mark.parametrize("left", [CONTENT[:-5] + b"wrong", b"x" * 1000, b"y" * len(CONTENT) * 2])
def test_what_was_left_of_another_file_is_thrown_away(
    left: bytes, file: PublicFile, cache: Path
) -> None:
    cache.mkdir(parents=True)
    (cache / f"{file.name}.part").write_bytes(left)
    assert _find(file).read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"!", CONTENT[:-1], CONTENT + b"!"])
def test_another_file_is_refused_with_both_digests(
    content: bytes, file: PublicFile, server: Server, cache: Path
) -> None:
    server.content = content
    with pytest.raises(DataError, match=f"SHA-256 [0-9a-f]{{64}}, .* expected {DIGEST}") as caught:
        _find(file)
    if len(content) <= len(CONTENT):
        assert hashlib.sha256(content).hexdigest() in str(caught.value)
    assert _only(cache) == set()


@pytest.mark.parametrize("length", ["many", "-7", "1e6"])
def test_a_length_that_is_no_number_is_left_alone(
    length: str, file: PublicFile, server: Server
) -> None:
    server.length, server.breaks_after = length, 1_300_000
    assert _find(file).read_bytes() == CONTENT
    assert server.requests == [None, "bytes=1300000-"]


def test_progress_is_of_what_came(
    file: PublicFile, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.status = 503
    with pytest.raises(SetupError, match="503"):
        find_weights(file)
    assert capsys.readouterr().err == ""
    server.status = 200
    find_weights(file)
    assert capsys.readouterr().err.startswith(f"{file.name}: 2 megabytes in ")


def test_a_file_that_is_not_there(file: PublicFile, server: Server, cache: Path) -> None:
    server.status = 404
    with pytest.raises(SetupError, match=r"404 .*--weights") as caught:
        _find(file)
    assert file.url in str(caught.value)
    assert len(server.requests) == 1
    assert _only(cache) == set()


def test_no_network(file: PublicFile) -> None:
    closed = dataclasses.replace(file, url="http://127.0.0.1:9/net.pth")
    with pytest.raises(SetupError, match=r"127.0.0.1:9/net.pth: .*refused.* put it into"):
        _find(closed)


def test_a_cache_that_cannot_be_made(
    file: PublicFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "blocked").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "blocked"))
    with pytest.raises(SetupError, match="cannot be made"):
        _find(file)


@pytest.mark.slow
def test_two_processes_download_once(
    file: PublicFile, server: Server, cache: Path, children: Children
) -> None:
    wanted = (file.url, str(cache / file.name), file.size_bytes, file.sha256)
    code = (
        "import pathlib; from pgan_toolkit.evaluation.downloads import Download, fetch; "
        f"url, path, size, digest = {wanted!r}; "
        "fetch(Download(url, pathlib.Path(path), size, digest), remedy='', progress='quiet')"
    )
    running = [children.start([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert (cache / file.name).read_bytes() == CONTENT
    assert server.requests == [None]


def test_a_process_waits_for_another_that_downloads(
    file: PublicFile, server: Server, cache: Path
) -> None:
    cache.mkdir(parents=True)
    with ThreadPoolExecutor(1) as pool, lock_file(cache / f"{file.name}.lock", work="download"):
        waiting = pool.submit(_find, file)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.3)
        (cache / file.name).write_bytes(CONTENT)
    assert waiting.result(timeout=60) == cache / file.name
    assert server.requests == []


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "own.pth"
    torch.save({"a": torch.ones(2, 3), "b": torch.zeros(4), "b.count": torch.tensor(7)}, path)
    return path


SHAPES = {"a": torch.Size([2, 3]), "b": torch.Size([4])}
EXPECTED = PublicFile("net-0123abcd.pth", 10, "0123abcd", "https://example.org/net-0123abcd.pth")


def test_weights_of_ones_own_are_read(stored: Path, tmp_path: Path) -> None:
    save_file({"a": torch.ones(2, 3).half(), "b": torch.zeros(4)}, tmp_path / "own.safetensors")
    for path in (stored, tmp_path / "own.safetensors"):
        read = read_tensors(path, expected=EXPECTED, own=True)
        assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        tensors = require_tensors(read, SHAPES, unused=(".count",))
        assert torch.equal(tensors["a"], torch.ones(2, 3))
        assert tensors.keys() == SHAPES.keys()


def test_the_public_file_must_be_the_public_file(stored: Path) -> None:
    digest = hashlib.sha256(stored.read_bytes()).hexdigest()
    with pytest.raises(DataError, match=f"{digest}.*begins with 0123abcd"):
        read_tensors(stored, expected=EXPECTED, own=False)
    known = dataclasses.replace(EXPECTED, sha256=digest[:8])
    assert read_tensors(stored, expected=known, own=False).sha256 == digest


@pytest.mark.parametrize("cut", [0, 1, 100, -200])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_truncated_file_is_refused_with_both_digests(
    cut: int, suffix: str, stored: Path, tmp_path: Path
) -> None:
    whole = stored.read_bytes()
    if suffix == "safetensors":
        save_file({"a": torch.ones(200)}, tmp_path / "whole.safetensors")
        whole = (tmp_path / "whole.safetensors").read_bytes()
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole[:cut])
    digest = hashlib.sha256(whole[:cut]).hexdigest()
    with pytest.raises(DataError, match=f"not a weight file: .*{digest}.*0123abcd") as caught:
        read_tensors(path, expected=EXPECTED, own=True)
    assert str(caught.value).endswith(f"get it again from {EXPECTED.url}")
    assert not re.search("[Pp]y[Tt]orch|miniz|deserializ|Error", str(caught.value))


class Harmful:
    """Would run a command where pickles are trusted."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (Path("/nowhere"), "harm")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (Harmful(), "Python objects, which are not loaded"),
        ([1, 2], "one list"),
        ({"a": 3}, "more than tensors"),
        ({1: torch.zeros(1)}, "more than tensors"),
    ],
)
def test_other_contents_are_refused_and_not_run(content: object, said: str, tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save(content, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(DataError, match=f"other.pth: holds {said}; .*{digest}.*0123abcd"):
        read_tensors(path, expected=EXPECTED, own=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a": None}, "a: missing, expected (2, 3)"),
        ({"a": torch.ones(3, 2)}, "a: (3, 2), expected (2, 3)"),
        ({"a": torch.ones(2, 3, dtype=torch.int64)}, "a: (2, 3) of torch.int64"),
        ({"c": torch.ones(1)}, "c: not a tensor of this network"),
        ({"a": torch.full((2, 3), torch.inf)}, "tensor a has values that are infinite"),
        ({f"x{number}": torch.ones(1) for number in range(6)}, "; 2 more"),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    changes: dict[str, torch.Tensor | None], message: str, tmp_path: Path
) -> None:
    tensors = {"a": torch.ones(2, 3), "b": torch.zeros(4)} | changes
    path = tmp_path / "own.pth"
    torch.save({name: tensor for name, tensor in tensors.items() if tensor is not None}, path)
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        require_tensors(read_tensors(path, expected=EXPECTED, own=True), SHAPES)
    assert hashlib.sha256(path.read_bytes()).hexdigest() in str(caught.value)


def test_an_unknown_extractor_has_no_public_file() -> None:
    with pytest.raises(DataError, match=r"nothing usable about 'resnet'"):
        public_file("resnet")


def test_a_cache_that_cannot_be_looked_into_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(SetupError, match=rf"\(Permission denied\): name .* by {CACHE_VARIABLE}"):
        find_weights(public_file("vgg16"), download=False)
    monkeypatch.setattr(Path, "is_dir", refuse)
    monkeypatch.setenv(WEIGHTS_VARIABLE, "/locked/weights")
    with pytest.raises(SetupError, match=f"{WEIGHTS_VARIABLE}=/locked/weights: cannot be looked"):
        find_weights(public_file("vgg16"), download=False)
