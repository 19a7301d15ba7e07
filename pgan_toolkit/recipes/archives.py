"""Reading named members of a .tar.gz in memory: nothing is unpacked, and its size is bounded."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Container
from pathlib import Path

from pgan_toolkit.errors import DataError

__all__ = ["read_members"]

_MEBIBYTE = 2**20
_MOST_MEMBERS = 100
_READ_ERRORS = (
    tarfile.TarError,
    EOFError,
    OSError,
    OverflowError,
    RecursionError,  # headers that announce headers
    ValueError,
    zlib.error,
)


def read_members(
    path: Path, wanted: Container[str], *, most_bytes: int, most_bytes_each: int
) -> dict[str, bytes]:
    """Read regular files in a .tar.gz, by the last part of their names.

    Parameters
    ----------
    path : Path
        The archive.
    wanted : container of str
        The names of those to read; others are passed over.
    most_bytes, most_bytes_each : int
        Unpacked size beyond which the archive, or one of its files, is refused.

    Raises
    ------
    DataError
        It is damaged, or larger than that.
    """
    try:
        with (
            gzip.open(path) as unzipped,
            tarfile.open(fileobj=_Bounded(unzipped, path, most_bytes), mode="r|") as archive,
        ):
            members = {}
            for count, info in enumerate(archive):
                if not 0 <= info.size <= most_bytes_each or count >= _MOST_MEMBERS:
                    raise DataError(
                        f"{path}: file {count + 1}, {info.name!r:.80}, of {info.size:,} bytes is "
                        "more than was published; get the archive again"
                    )
                name = info.name.rsplit("/", 1)[-1]
                contents = archive.extractfile(info) if info.isreg() and name in wanted else None
                if contents is not None:
                    members[name] = contents.read()
    except _READ_ERRORS as error:
        raise DataError(f"{path}: no .tar.gz, or damaged ({error}); get it again") from error
    return members


class _Bounded(io.BufferedIOBase):
    """A stream that refuses to give more than a number of bytes: a bomb is stopped in time."""

    def __init__(self, stream: gzip.GzipFile, path: Path, most_bytes: int) -> None:
        self._stream, self._path, self._left = stream, path, most_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._stream.read(_MEBIBYTE if size is None or size < 0 else min(size, _MEBIBYTE))
        self._left -= len(data)
        if self._left < 0:
            raise DataError(f"{self._path}: unpacks to more than the published file; get it again")
        return data
