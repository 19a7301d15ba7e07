"""Digests of files and of pixels, so that data can be named by what they are."""

import hashlib
from pathlib import Path

from pgan_toolkit.arrays import Image

__all__ = ["bytes_digest", "file_digest", "pixel_digest"]

_CHUNK_BYTES = 1 << 20


def bytes_digest(data: bytes) -> str:
    """SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path, *, algorithm: str = "sha256") -> str:
    """Digest of a file's bytes, read in pieces of 1 MiB.

    Parameters
    ----------
    path : Path
        The file.
    algorithm : str
        A name that `hashlib.new` takes: "sha256", "md5" (for published lists that have no better).

    Returns
    -------
    str
        The digest in hexadecimal.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def pixel_digest(image: Image) -> str:
    """SHA-256 of a picture's size and pixels: equal for equal pictures in any file format."""
    digest = hashlib.sha256(f"{image.shape[0]}x{image.shape[1]}:".encode())
    digest.update(image.data)
    return digest.hexdigest()
