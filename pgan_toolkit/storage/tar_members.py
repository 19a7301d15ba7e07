"""The members of a tar file, found by their headers; nothing is unpacked."""

import io
import mmap
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.reading import check_picture_bytes

__all__ = ["TAR_MAGIC", "TarMember", "list_members", "read_member"]

TAR_MAGIC = (257, b"ustar")
"""Where a tar file says that it is one, and how."""

_BLOCK_BYTES = 512
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"(\xb5": "zstd"}
# What tarfile raises at damaged headers: its own error and what Python's conversions raise.
_ERRORS = (
    tarfile.TarError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    RecursionError,  # headers that announce headers
    ValueError,
)
_MOST_HEADER_BYTES = 1 << 20
_MOST_GLOBAL_HEADERS = 100  # tarfile copies them for each member


class TarMember(NamedTuple):
    """A file in a tar file.

    Attributes
    ----------
    name : str
        As the tar file has it, without a leading "./".
    offset, size : int
        Where its bytes lie in the tar file, and how many they are.
    """

    name: str
    offset: int
    size: int


def list_members(path: Path) -> Sequence[TarMember]:
    """Read all headers of a tar file that is not compressed.

    Only plain files are listed: folders, links, devices and files with holes are not.

    Raises
    ------
    DataError
        Compressed, damaged, or cut short.
    """
    try:
        with path.open("rb") as file:
            _refuse_compressed(file.read(2), path)
            # Of a map no more can be read than there is, whatever a header states.
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _listed(data, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except _ERRORS as error:
        raise _damaged(path, str(error)) from error


def read_member(path: Path, member: TarMember) -> bytes:
    """Read a member's bytes. Each call opens the file, so processes and threads share nothing.

    Raises
    ------
    DataError
        The file cannot be read, has become shorter, or the member is too large.
    """
    check_picture_bytes(member.size, name=f"{path}: {member.name}")
    try:
        with path.open("rb") as file:
            file.seek(member.offset)
            data = file.read(member.size)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(data) != member.size:
        raise _damaged(path, f"it ends within {member.name}")
    return data


def _listed(data: mmap.mmap, path: Path) -> list[TarMember]:
    members = []
    with tarfile.open(fileobj=_Headers(data), mode="r:") as archive:
        while (info := archive.next()) is not None:
            if info.type in tarfile.REGULAR_TYPES and not info.issparse():
                name = info.name.removeprefix("./")
                members.append(TarMember(name, info.offset_data, info.size))
            archive.members.clear()  # type: ignore[attr-defined]  # or all headers stay in memory
            if len(archive.pax_headers) > _MOST_GLOBAL_HEADERS:
                raise _damaged(path, f"more than {_MOST_GLOBAL_HEADERS} headers for all members")
        end: int = archive.offset  # where the headers stopped
    if any(member.offset + member.size > len(data) for member in members):
        raise _damaged(path, "a member goes beyond its end")
    # A damaged header in the middle looks to tarfile like the end, which is a block of zeros.
    if data[end : end + _BLOCK_BYTES] != bytes(_BLOCK_BYTES):
        raise _damaged(path, f"no header and no end at byte {end:,}")
    return members


class _Headers(io.BufferedIOBase):
    """A mapped file of which no large part is read at once: what a header says of its length."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._data.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        start = (0, self._data.tell(), len(self._data))[whence]
        self._data.seek(start + offset)
        return self._data.tell()

    def tell(self) -> int:
        return self._data.tell()


def _refuse_compressed(start: bytes, path: Path) -> None:
    if start in _COMPRESSED:
        raise DataError(
            f"{path}: compressed by {_COMPRESSED[start]}, so that no picture can be reached "
            "without all before it; unpack it to a plain .tar (pictures hardly shrink anyway)"
        )


def _damaged(path: Path, reason: str) -> DataError:
    return DataError(
        f"{path}: the tar file is damaged or incomplete ({reason}); get or make it again"
    )
