"""The members of a tar file, found by their headers; nothing is unpacked."""

import io
import mmap
import tarfile
from collections.abc import Sequence
from io import BufferedReader
from typing import NamedTuple

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.archives import Archive
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


def list_members(archive: Archive) -> Sequence[TarMember]:
    """Read all headers of a tar file that is not compressed.

    Only plain files are listed: folders, links, devices and files with holes are not.

    Raises
    ------
    DataError
        Compressed, damaged, or cut short.
    """
    try:
        with archive.open() as file:
            _refuse_compressed(file.read(2), archive)
            if archive.by_parts:
                file.seek(0)
                return _listed(file, archive)
            # Of a map no more can be read than there is, whatever a header states.
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _listed(data, archive)
    except OSError as error:
        raise DataError(f"{archive}: cannot be read ({error.strerror or error})") from error
    except _ERRORS as error:
        raise _damaged(archive, str(error)) from error


def read_member(archive: Archive, member: TarMember) -> bytes:
    """Read a member's bytes; by any thread.

    Raises
    ------
    DataError
        The file cannot be read, has become shorter, or the member is too large.
    """
    check_picture_bytes(member.size, name=f"{archive}: {member.name}")
    try:
        data = archive.read(member.offset, member.size)
    except OSError as error:
        raise DataError(f"{archive}: cannot be read ({error.strerror or error})") from error
    if len(data) != member.size:
        raise _damaged(archive, f"it ends within {member.name}")
    return data


def _listed(data: mmap.mmap | BufferedReader, archive: Archive) -> list[TarMember]:
    members = []
    with tarfile.open(fileobj=_Headers(data, archive.size), mode="r:") as tar:
        while (info := tar.next()) is not None:
            if info.type in tarfile.REGULAR_TYPES and not info.issparse():
                name = info.name.removeprefix("./")
                members.append(TarMember(name, info.offset_data, info.size))
            tar.members.clear()  # type: ignore[attr-defined]  # or all headers stay in memory
            if len(tar.pax_headers) > _MOST_GLOBAL_HEADERS:
                raise _damaged(archive, f"more than {_MOST_GLOBAL_HEADERS} headers for all members")
        end: int = tar.offset  # where the headers stopped
    if any(member.offset + member.size > archive.size for member in members):
        raise _damaged(archive, "a member goes beyond its end")
    # A damaged header in the middle looks to tarfile like the end, which is a block of zeros.
    data.seek(end)
    if data.read(_BLOCK_BYTES) != bytes(_BLOCK_BYTES):
        raise _damaged(archive, f"no header and no end at byte {end:,}")
    return members


class _Headers(io.BufferedIOBase):
    """A file of which no large part is read at once: what a header says of its length."""

    def __init__(self, data: mmap.mmap | BufferedReader, size: int) -> None:
        self._data, self._size = data, size

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._data.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        start = (0, self._data.tell(), self._size)[whence]
        self._data.seek(start + offset)
        return self._data.tell()

    def tell(self) -> int:
        return self._data.tell()


def _refuse_compressed(start: bytes, archive: Archive) -> None:
    if start in _COMPRESSED:
        raise DataError(
            f"{archive}: compressed by {_COMPRESSED[start]}, so that no picture can be reached "
            "without all before it; unpack it to a plain .tar (pictures hardly shrink anyway)"
        )


def _damaged(archive: Archive, reason: str) -> DataError:
    return DataError(
        f"{archive}: the tar file is damaged or incomplete ({reason}); get or make it again"
    )
