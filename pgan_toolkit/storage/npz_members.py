"""The arrays of .npy and .npz files: found by their headers, mapped or unpacked when asked for."""

import contextlib
import os
import struct
import zipfile
import zlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.archives import Archive
from pgan_toolkit.storage.npy_header import NPY_SIGNATURE, NpyHeader, read_npy_header

__all__ = [
    "MOST_UNPACKED_BYTES",
    "StoredArray",
    "data_offset",
    "find_arrays",
    "holds_arrays",
    "member_names",
    "write_member",
]

MOST_UNPACKED_BYTES = 8 << 30
"""A compressed array is held in memory whole; a larger one than this is refused."""

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold
_MODE = 0o100644 << 16
_UNIX = 3
_MOST_RATIO = 1032  # of deflate: what states more than this times its bytes, lies
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ZIP_ERRORS = (
    OSError,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class StoredArray:
    """An array of a file, of which the header has been read.

    Attributes
    ----------
    file : Archive
        The file.
    name : str
        Of the array: its member's without .npy; of a .npy file its own.
    header : NpyHeader
        Shape and type, held against the file's size.
    offset : int | None
        Where the elements begin in the file; None where they are compressed.
    of_npy : bool
        Whether the file is a .npy.
    """

    file: Archive
    name: str
    header: NpyHeader
    offset: int | None
    of_npy: bool = False

    @property
    def where(self) -> str:
        """What messages call it."""
        return str(self.file) if self.of_npy else f"{self.file}: {self.name}"

    def load(self) -> NDArray[Any]:
        """Map the array into memory for reading, or unpack it.

        Raises
        ------
        DataError
            The file is damaged, or has become shorter.
        """
        if 0 in self.header.shape:
            return np.empty(self.header.shape, self.header.dtype)
        try:
            if self.offset is None:
                return self._unpacked()
            return np.memmap(
                self.file.local(),
                self.header.dtype,
                "r",
                offset=self.offset,
                shape=self.header.shape,
            )
        except _ZIP_ERRORS as error:
            raise _damaged(self.where, error) from error

    def _unpacked(self) -> NDArray[Any]:
        data = bytearray(self.header.data_bytes)
        with (
            zipfile.ZipFile(self.file.local()) as archive,
            _opened(archive, f"{self.name}.npy") as file,
        ):
            file.read(self.header.start)
            filled = 0
            while filled < len(data) and (got := file.readinto(memoryview(data)[filled:])):
                filled += got
            if filled < len(data) or file.read(1):  # at its end the checksum is compared
                raise ValueError(f"{filled:,} bytes where the header states {len(data):,}")
        return np.frombuffer(data, self.header.dtype).reshape(self.header.shape)


def holds_arrays(file: Archive) -> bool:
    """Whether a zip file is a .npz: all its members are arrays. A damaged one is not."""
    names = member_names(file)
    return bool(names) and all(name.endswith(".npy") for name in names)


def member_names(file: Archive) -> list[str]:
    """Names of a zip file's members; none of a damaged one."""
    try:
        with file.open() as opened, zipfile.ZipFile(opened) as archive:
            return archive.namelist()
    except _ZIP_ERRORS:
        return []


def find_arrays(file: Archive, *, only: Container[str] | None = None) -> dict[str, StoredArray]:
    """Read the headers of the arrays of a .npy or .npz file, opened whole, by its contents.

    Parameters
    ----------
    file : Archive
        The file.
    only : container of str or None
        The members of a .npz to look at; None for all.

    Returns
    -------
    dict of str to StoredArray
        By name, in the file's order; members of other kinds are passed over.

    Raises
    ------
    DataError
        Damaged, cut short, or with arrays of Python objects.
    """
    try:
        with file.open() as opened:
            if opened.read(len(NPY_SIGNATURE)) == NPY_SIGNATURE:
                opened.seek(0)
                available = os.fstat(opened.fileno()).st_size
                header = read_npy_header(opened, available=available, name=str(file))
                return {file.stem: StoredArray(file, file.stem, header, header.start, of_npy=True)}
        with zipfile.ZipFile(file.local()) as archive:
            found = [
                _member(archive, info, file)
                for info in archive.infolist()
                if _is_npy(info) and (only is None or info.filename.removesuffix(".npy") in only)
            ]
    except _ZIP_ERRORS as error:
        raise _damaged(str(file), error) from error
    return {array.name: array for array in found}


def _opened(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo | str, mode: Literal["r", "w"] = "r"
) -> BufferedIOBase:
    # What it is; it is only declared as something less.
    return cast(BufferedIOBase, archive.open(member, mode))


def _is_npy(info: zipfile.ZipInfo) -> bool:
    return info.filename.endswith(".npy")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, stored_in: Archive) -> StoredArray:
    name = info.filename.removesuffix(".npy")
    where = f"{stored_in}: {name}"
    _check_sizes(info, stored_in.size, where)
    with _opened(archive, info) as file:
        header = read_npy_header(file, available=info.file_size, name=where)
    stored = info.compress_type == zipfile.ZIP_STORED
    offset = data_offset(stored_in, info) + header.start if stored else None
    return StoredArray(stored_in, name, header, offset)


def _check_sizes(info: zipfile.ZipInfo, file_bytes: int, where: str) -> None:
    """Refuse a size that the bytes of the file cannot unpack to, or too much to hold."""
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise DataError(f"{where}: compressed by an unusual method; write it with np.savez")
    stored = info.compress_type == zipfile.ZIP_STORED
    most = info.compress_size * (1 if stored else _MOST_RATIO) + (0 if stored else _MOST_RATIO)
    if info.header_offset + info.compress_size > file_bytes or info.file_size > most:
        raise DataError(
            f"{where}: states {info.file_size:,} bytes, more than the file can hold; "
            "it is damaged: get or make it again"
        )
    if not stored and info.file_size > MOST_UNPACKED_BYTES:
        raise DataError(
            f"{where}: {info.file_size:,} bytes when unpacked, and at most "
            f"{MOST_UNPACKED_BYTES:,} are held in memory; write it uncompressed, with np.savez: "
            "such an array is read where it lies"
        )


def data_offset(file: Archive, info: zipfile.ZipInfo) -> int:
    """Where the bytes of a member that is stored without compression begin.

    Raises
    ------
    ValueError
        The member does not lie where the archive says.
    struct.error
        The archive ends before.
    """
    header = file.read(info.header_offset, _LOCAL_HEADER.size)
    signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
    offset: int = info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
    if signature != b"PK\x03\x04" or offset + info.file_size > file.size:
        raise ValueError(f"{info.filename} does not lie where the archive says")
    return offset


def _damaged(where: str, error: Exception) -> DataError:
    return DataError(
        f"{where}: the NumPy file is damaged or incomplete ({error}); get or make it again"
    )


@contextlib.contextmanager
def write_member(
    archive: zipfile.ZipFile, name: str, *, data_bytes: int
) -> Iterator[BufferedIOBase]:
    """Open a new array of a .npz for writing, uncompressed and without a time.

    Parameters
    ----------
    archive : zipfile.ZipFile
        Open for writing.
    name : str
        The array's.
    data_bytes : int
        Bytes of its elements, so that the archive knows early whether it is beyond 4 GiB.
    """
    member = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
    member.create_system = _UNIX
    member.external_attr = _MODE
    member.file_size = data_bytes + 1024
    with _opened(archive, member, "w") as file:
        yield file
