"""Parts of a remote object, through a cache of blocks in memory that all threads share."""

import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.remote.connections import filesystem
from pgan_toolkit.storage.remote.paths import RemotePath, RemoteStatus
from pgan_toolkit.storage.remote.retrying import retried

__all__ = ["BLOCK_BYTES", "BlockCache", "RangeFile", "RangeReader", "read_start"]

BLOCK_BYTES = 1 << 20
_MOST_BLOCKS = 128
_UNCACHED_BYTES = 4 * BLOCK_BYTES  # what is as long is asked for in one request of its own

_Key = tuple[str, str, int]


class BlockCache:
    """The blocks used last. A block that several threads want is asked for once.

    Parameters
    ----------
    most_blocks : int
        How many are kept.
    """

    def __init__(self, most_blocks: int = _MOST_BLOCKS) -> None:
        self._most_blocks = most_blocks
        self._blocks: OrderedDict[_Key, Future[bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _Key, fetch: Callable[[], bytes]) -> bytes:
        """Return a block; `fetch` gets it where it is not there. Its error is every waiter's."""
        with self._lock:
            block = self._blocks.get(key)
            mine = block is None
            if block is None:
                block = self._blocks[key] = Future()
            self._blocks.move_to_end(key)
            while len(self._blocks) > self._most_blocks:
                self._blocks.popitem(last=False)
        if mine:
            try:
                block.set_result(fetch())
            except BaseException as error:
                with self._lock:
                    self._blocks.pop(key, None)
                block.set_exception(error)
                raise
        return block.result()

    def clear(self) -> None:
        """Forget all blocks."""
        with self._lock:
            self._blocks.clear()


_blocks = BlockCache()


class RangeReader:
    """Reads parts of one object; for one process, and any of its threads.

    Parameters
    ----------
    path : RemotePath
        The object.
    status : RemoteStatus
        What it was when it was opened first, perhaps by another process.

    Raises
    ------
    DataError
        It is another by now.
    """

    def __init__(self, path: RemotePath, status: RemoteStatus) -> None:
        self.path, self.status = path, status
        self._file = retried(self._opened, url=str(path))

    def read(self, offset: int, size: int) -> bytes:
        """Read bytes, fewer at the end of the object.

        Raises
        ------
        DataError
            The object was replaced (where the storage compares: S3 does for every request).
        SetupError
            The storage cannot be read.
        """
        end = min(offset + size, self.status.st_size)
        if end <= offset:
            return b""
        if end - offset >= _UNCACHED_BYTES:
            return self._fetch(offset, end)
        first, last = offset // BLOCK_BYTES, (end - 1) // BLOCK_BYTES
        data = b"".join(self._block(number) for number in range(first, last + 1))
        start = offset - first * BLOCK_BYTES
        return data[start : start + end - offset]

    def _block(self, number: int) -> bytes:
        start = number * BLOCK_BYTES
        end = min(start + BLOCK_BYTES, self.status.st_size)
        key = (str(self.path), self.status.tag, number)
        return _blocks.get(key, lambda: self._fetch(start, end))

    def _fetch(self, start: int, end: int) -> bytes:
        def request() -> bytes:
            if hasattr(self._file, "_fetch_range"):
                data: bytes = self._file._fetch_range(start, end)  # S3: only of the same ETag
            else:
                store = filesystem(self.path.scheme)
                data = store.cat_file(self.path.stored_name, start=start, end=end)
            if len(data) != end - start:
                raise ConnectionError(f"{len(data):,} of {end - start:,} bytes came")
            return data

        return retried(request, url=str(self.path))

    def _opened(self) -> Any:
        if self.path.stat() != self.status:
            raise DataError(
                f"{self.path}: was replaced since it was opened; run the same command again"
            )
        store = filesystem(self.path.scheme)
        return store.open(self.path.stored_name, "rb", cache_type="none")


class RangeFile(io.RawIOBase):
    """A remote object as a file that is read at random places.

    Parameters
    ----------
    reader : RangeReader
        Of the object.
    """

    def __init__(self, reader: RangeReader) -> None:
        self._reader = reader
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._reader.status.st_size}
        self._at = max(0, start[whence] + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read as many bytes as the buffer takes."""
        target = memoryview(buffer).cast("B")
        data = self._reader.read(self._at, len(target))
        target[: len(data)] = data
        self._at += len(data)
        return len(data)


def read_start(path: RemotePath, size: int) -> bytes:
    """Read an object's first bytes, in one request.

    Parameters
    ----------
    path : RemotePath
        The object, of a storage that reads ranges.
    size : int
        How many; not more than it has.

    Raises
    ------
    FileNotFoundError
        There is no such object.
    """
    store, name = filesystem(path.scheme), path.stored_name
    data: bytes = retried(lambda: store.cat_file(name, start=0, end=size), url=str(path))
    return data[:size]
