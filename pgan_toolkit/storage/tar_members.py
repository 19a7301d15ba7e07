"""The members of a tar file, found by their headers; nothing is unpacked."""

import mmap
import tarfile
from collections.abc import Sequence
from io import BufferedReader
from typing import NamedTuple

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.archives import Archive

__all__ = ["TAR_MAGIC", "TarMember", "list_members", "read_member"]

TAR_MAGIC = (257, b"ustar")
"""Where a tar file says that it is one, and how."""

_BLOCK_BYTES = 512
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"(\xb5": "zstd"}
# What tarfile raises at damaged headers: its own error and what Python's conversions raise.
_ERRORS = (tarfile.TarError, ValueError, OverflowError, EOFError, IndexError, KeyError)


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
        The file cannot be read, or has become shorter.
    """
    try:
        data = archive.read(member.offset, member.size)
    except OSError as error:
        raise DataError(f"{archive}: cannot be read ({error.strerror or error})") from error
    if len(data) != member.size:
        raise _damaged(archive, f"it ends within {member.name}")
    return data


def _listed(data: mmap.mmap | BufferedReader, archive: Archive) -> list[TarMember]:
    with tarfile.open(fileobj=data, mode="r:") as tar:
        members = [
            TarMember(info.name.removeprefix("./"), info.offset_data, info.size)
            for info in tar
            if info.type in tarfile.REGULAR_TYPES and not info.issparse()
        ]
        end: int = tar.offset  # where the headers stopped
    if any(member.offset + member.size > archive.size for member in members):
        raise _damaged(archive, "a member goes beyond its end")
    # A damaged header in the middle looks to tarfile like the end, which is a block of zeros.
    data.seek(end)
    if data.read(_BLOCK_BYTES) != bytes(_BLOCK_BYTES):
        raise _damaged(archive, f"no header and no end at byte {end:,}")
    return members


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
