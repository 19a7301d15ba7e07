"""Time reading a set of thumbnails from S3 on loopback against a local folder and a local zip file.

The server is moto's, in a process of its own: it answers on the same cores, and has no network's
latency. So the numbers are the overhead of a request, not the speed of a real storage. Each way
decodes every picture; the turns alternate, and medians are given. "boto3" is the peer: as many
plain GETs of the same objects, undecoded, one after another. Example::

    python benchmarks/remote.py --pictures celeba_thumbs_89x109.zip --json build/remote.json
"""

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pgan_toolkit.storage import StoredSource, open_sink, open_source
from pgan_toolkit.storage.remote import ranges

__all__ = ["measure"]

_BUCKET = "benchmark"
_THREADS = 8


def measure(pictures: Path, *, count: int, turns: int) -> dict[str, dict[str, float]]:
    """Return seconds and pictures per second of every way, medians over turns."""
    with tempfile.TemporaryDirectory() as name, _server(Path(name)):
        client = _new_bucket()
        folder = Path(name)
        source = open_source(pictures)
        for place in ("set", "set.zip", "set.npz"):
            for target in (folder / place, f"s3://{_BUCKET}/{place}"):
                with open_sink(target) as sink:
                    for index in range(count):
                        sink.write(source[index])
        ways = _ways(folder, client)
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(turns):
            for way, read in ways.items():
                ranges._blocks.clear()
                start = time.perf_counter()
                read()
                seconds[way].append(time.perf_counter() - start)
    return {
        way: {"seconds": statistics.median(each), "per_second": count / statistics.median(each)}
        for way, each in seconds.items()
    }


def _ways(folder: Path, client: Any) -> dict[str, Callable[[], object]]:
    bucket = f"s3://{_BUCKET}"
    return {
        "local folder": lambda: _read(open_source(folder / "set")),
        "local zip": lambda: _read(open_source(folder / "set.zip")),
        "boto3, GETs alone": lambda: _gets(client),
        "S3 folder, 1 thread": lambda: _read(open_source(f"{bucket}/set")),
        "S3 folder, 8 threads": lambda: _read_by_threads(open_source(f"{bucket}/set")),
        "S3 zip, no block cache": lambda: _without_blocks(f"{bucket}/set.zip"),
        "S3 zip, block cache": lambda: _read(open_source(f"{bucket}/set.zip")),
        "S3 zip, read again": _second(f"{bucket}/set.zip"),
        "S3 npz, no copy": lambda: _without_copy(f"{bucket}/set.npz", folder),
        "S3 npz, copy kept": _second(f"{bucket}/set.npz"),
    }


def _read(source: StoredSource) -> None:
    for _ in source:
        pass


def _read_by_threads(source: StoredSource) -> None:
    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(source.__getitem__, range(len(source))):
            pass


def _gets(client: Any) -> None:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=_BUCKET, Prefix="set/"):
        for found in page["Contents"]:
            client.get_object(Bucket=_BUCKET, Key=found["Key"])["Body"].read()


def _without_blocks(url: str) -> None:
    """Ask for the very bytes of each read."""
    usual, ranges._UNCACHED_BYTES = ranges._UNCACHED_BYTES, 1
    try:
        _read(open_source(url))
    finally:
        ranges._UNCACHED_BYTES = usual


def _without_copy(url: str, folder: Path) -> None:
    usual = os.environ["PGAN_TOOLKIT_CACHE"]
    with tempfile.TemporaryDirectory(dir=folder) as empty:
        os.environ["PGAN_TOOLKIT_CACHE"] = empty
        _read(open_source(url))
    os.environ["PGAN_TOOLKIT_CACHE"] = usual


def _second(url: str) -> Callable[[], None]:
    """Read a source whose blocks are there, or of which a copy is."""
    source = open_source(url)
    kept = ranges.BlockCache()

    def read() -> None:
        usual, ranges._blocks = ranges._blocks, kept
        _read(source)
        ranges._blocks = usual

    read()
    return read


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[None]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ.update(
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        AWS_ACCESS_KEY_ID="benchmark",
        AWS_SECRET_ACCESS_KEY="benchmark",
        AWS_DEFAULT_REGION="us-east-1",
        PGAN_TOOLKIT_CACHE=str(folder / "cache"),
    )
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise SystemExit("the server does not start: pip install 'moto[s3]' flask flask-cors")


def _new_bucket() -> Any:
    import boto3

    client = boto3.client("s3")
    client.create_bucket(Bucket=_BUCKET)
    return client


def main() -> None:
    """Measure, print a table, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True, help="A set of small pictures.")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = measure(arguments.pictures, count=arguments.count, turns=arguments.turns)
    for way, numbers in found.items():
        print(f"{way:26} {numbers['seconds']:8.2f} s  {numbers['per_second']:10,.0f} per second")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
