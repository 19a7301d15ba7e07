"""A real S3 server (moto's) on loopback that can be told to fail, and a storage in memory."""

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_SLOW_DOWN = (
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)
SECRET = "a-secret-that-nobody-may-see"


@dataclass
class Faults:
    """What the server does wrong: the next `count` requests that match fail."""

    server: Any = None
    waiting: list[tuple[Callable[[str, str], bool], str, list[int]]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def add(self, kind: str, *, count: int, method: str = "", path: str = "") -> None:
        """Let requests fail: "503", "slow", "drop" (half an answer) or "hold" (for a minute)."""
        self.waiting.append(
            (lambda m, p: m.startswith(method) and path in p, kind, [count]),
        )

    def next(self, method: str, path: str) -> str:
        self.requests.append((method, path))
        for matches, kind, left in self.waiting:
            if left[0] and matches(method, path):
                left[0] -= 1
                return kind
        return ""


class _Faulty:
    """The server's application, behind what may fail."""

    def __init__(self, application: Any, faults: Faults) -> None:
        self._application, self._faults = application, faults

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        path = f"{environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}"
        kind = self._faults.next(environ["REQUEST_METHOD"], path)
        if kind == "503":
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start("503 Slow Down", [("Content-Length", str(len(_SLOW_DOWN)))])
            return [_SLOW_DOWN]
        if kind in {"slow", "hold"}:
            time.sleep(1.5 if kind == "slow" else 60)
        answer = self._application(environ, start)
        return _half(answer) if kind == "drop" else answer


def _half(answer: Iterable[bytes]) -> Iterator[bytes]:
    data = b"".join(answer)
    yield data[: len(data) // 2]
    raise ConnectionResetError("the connection is dropped here")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Faults]:
    """A server for the whole run, and the environment that leads to it."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server")
    serving = pytest.importorskip("werkzeug.serving")
    faults = Faults()
    application = server.DomainDispatcherApplication(server.create_backend_app)
    quiet = type("Quiet", (serving.WSGIRequestHandler,), {"log": lambda *_: None})
    here = serving.make_server(
        "127.0.0.1", 0, _Faulty(application, faults), threaded=True, request_handler=quiet
    )
    threading.Thread(target=here.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{here.server_port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "an-access-key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield faults
    here.shutdown()


@pytest.fixture
def s3(s3_server: Faults) -> Faults:
    """The server, without faults."""
    s3_server.waiting.clear()
    s3_server.requests.clear()
    return s3_server


@pytest.fixture
def bucket(s3: Faults) -> str:
    """URL of a new, empty bucket."""
    from pgan_toolkit.storage.remote.connections import filesystem

    url = f"s3://test-{uuid.uuid4().hex}"
    filesystem("s3").mkdir(url)
    s3.requests.clear()
    return url


@pytest.fixture
def remote_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies and what is staged lie in a folder of the test."""
    monkeypatch.setenv("PGAN_TOOLKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def memory() -> Iterator[str]:
    """URL of a storage in this process's memory, empty."""
    import fsspec

    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    yield "memory://bucket"
    store.store.clear()
