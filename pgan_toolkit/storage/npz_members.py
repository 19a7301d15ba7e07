"""The arrays of .npy and .npz files: found by their headers, mapped or unpacked when asked for."""

import contextlib
import os
import struct
import zipfile
import zlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.npy_header import NPY_SIGNATURE, NpyHeader, read_npy_header

__all__ = [
    "MOST_UNPACKED_BYTES",
    "StoredArray",
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
    path : Path
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

    path: Path
    name: str
    header: NpyHeader
    offset: int | None
    of_npy: bool = False

    @property
    def where(self) -> str:
        """What messages call it."""
        return str(self.path) if self.of_npy else f"{self.path}: {self.name}"

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
                self.path, self.header.dtype, "r", offset=self.offset, shape=self.header.shape
            )
        except _ZIP_ERRORS as error:
            raise _damaged(self.where, error) from error

    def _unpacked(self) -> NDArray[Any]:
        data = bytearray(self.header.data_bytes)
        with zipfile.ZipFile(self.path) as archive, _opened(archive, f"{self.name}.npy") as file:
            file.read(self.header.start)
            filled = 0
            while filled < len(data) and (got := file.readinto(memoryview(data)[filled:])):
                filled += got
            if filled < len(data) or file.read(1):  # at its end the checksum is compared
                raise ValueError(f"{filled:,} bytes where the header states {len(data):,}")
        return np.frombuffer(data, self.header.dtype).reshape(self.header.shape)


def holds_arrays(path: Path) -> bool:
    """Whether a zip file is a .npz: all its members are arrays. A damaged one is not."""
    names = member_names(path)
    return bool(names) and all(name.endswith(".npy") for name in names)


def member_names(path: Path) -> list[str]:
    """Names of a zip file's members; none of a damaged one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except _ZIP_ERRORS:
        return []


def find_arrays(path: Path, *, only: Container[str] | None = None) -> dict[str, StoredArray]:
    """Read the headers of the arrays of a .npy or .npz file, by its contents.

    Parameters
    ----------
    path : Path
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
        with path.open("rb") as file:
            if file.read(len(NPY_SIGNATURE)) == NPY_SIGNATURE:
                file.seek(0)
                available = os.fstat(file.fileno()).st_size
                header = read_npy_header(file, available=available, name=str(path))
                return {path.stem: StoredArray(path, path.stem, header, header.start, of_npy=True)}
        with zipfile.ZipFile(path) as archive:
            found = [
                _member(archive, info, path)
                for info in archive.infolist()
                if _is_npy(info) and (only is None or info.filename.removesuffix(".npy") in only)
            ]
    except _ZIP_ERRORS as error:
        raise _damaged(str(path), error) from error
    return {array.name: array for array in found}


def _opened(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo | str, mode: Literal["r", "w"] = "r"
) -> BufferedIOBase:
    # What it is; it is only declared as something less.
    return cast(BufferedIOBase, archive.open(member, mode))


def _is_npy(info: zipfile.ZipInfo) -> bool:
    return info.filename.endswith(".npy")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> StoredArray:
    name = info.filename.removesuffix(".npy")
    where = f"{path}: {name}"
    _check_sizes(info, path.stat().st_size, where)
    with _opened(archive, info) as file:
        header = read_npy_header(file, available=info.file_size, name=where)
    stored = info.compress_type == zipfile.ZIP_STORED
    offset = _data_offset(path, info) + header.start if stored else None
    return StoredArray(path, name, header, offset)


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


def _data_offset(path: Path, info: zipfile.ZipInfo) -> int:
    with path.open("rb") as file:
        file.seek(info.header_offset)
        signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
        offset: int = info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
        if signature != b"PK\x03\x04" or offset + info.file_size > file.seek(0, os.SEEK_END):
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
