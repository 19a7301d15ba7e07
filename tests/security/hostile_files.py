"""Small files that state large things, byte by byte."""

import io
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

from pgan_toolkit.imaging import encode_png

GOOD = encode_png(np.full((16, 16, 3), 90, np.uint8))


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, before: bytes = b"", data: bytes | None = None) -> bytes:
    """A PNG file that states a size; its pixels are those of 16x16 ones unless given."""
    pixels = zlib.compress((b"\0" * 49) * 16) if data is None else data
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + before + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def zip_of(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def zip_stating(path: Path, name: str, *, unpacked: int) -> Path:
    """A zip file with one member, of which the directory states another size."""
    data = bytearray(zip_of(path, (name, GOOD)).read_bytes())
    place = data.index(b"PK\x01\x02") + 24
    data[place : place + 4] = struct.pack("<I", unpacked)
    path.write_bytes(bytes(data))
    return path


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, *, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def npy(shape: object, *, kind: str = "|u1", data: bytes = b"") -> bytes:
    """A .npy array whose header states a shape."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode() + data
