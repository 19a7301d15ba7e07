"""What the pictures of a set are, byte for byte: digests that tell equal sets and changed files."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from pgan_toolkit.arrays import Image
from pgan_toolkit.digests import bytes_digest, pixel_digest
from pgan_toolkit.imaging import decode_image
from pgan_toolkit.storage import ImageSource, StoredSource
from pgan_toolkit.storage.encodings import encoding_of

__all__ = ["Identity", "PictureReader", "set_digest"]


@dataclass(frozen=True)
class Identity:
    """What one stored picture is.

    Attributes
    ----------
    digest : str
        SHA-256 of its file's bytes; of its size and pixels where the format stores no file.
    encoding : str
        "PNG", "JPEG", ...; "pixels" where it is stored as such.
    """

    digest: str
    encoding: str


class PictureReader:
    """Reads pictures together with the digest of the very bytes that they were decoded from.

    May be used by several threads at once.

    Parameters
    ----------
    source : ImageSource
        Folders and zip files are read by file, other sources by their decoded pictures.
    """

    def __init__(self, source: ImageSource) -> None:
        self._source = source
        self._stored = source if isinstance(source, StoredSource) else None

    def name(self, index: int) -> str:
        """What a message calls a picture: its file where there is one, else set and key."""
        return self._source.keys()[index] if self._stored is None else self._stored.name(index)

    def read(self, index: int) -> tuple[Image, Identity]:
        """Decode a picture, and say what it was decoded from.

        Raises
        ------
        DataError
            It cannot be read; the message names it.
        """
        data = self._encoded(index)
        if data is None:
            return self._decoded(index)
        return decode_image(data, name=self.name(index)), _identity(data)

    def identify(self, index: int) -> Identity:
        """Say what a picture is, from its stored bytes where there are any, without decoding them.

        Raises
        ------
        DataError
            It cannot be read; the message names it.
        """
        data = self._encoded(index)
        return self._decoded(index)[1] if data is None else _identity(data)

    def _encoded(self, index: int) -> bytes | None:
        return None if self._stored is None else self._stored.encoded(index)

    def _decoded(self, index: int) -> tuple[Image, Identity]:
        image = self._source[index].image
        encoding = "pixels" if self._stored is None else self._stored.info(index).encoding
        return image, Identity(pixel_digest(image), encoding)


def set_digest(identities: Iterable[Identity]) -> str:
    """SHA-256 of the pictures' digests in their order: equal for equal sets in equal order."""
    digest = hashlib.sha256()
    for identity in identities:
        digest.update(bytes.fromhex(identity.digest))
    return digest.hexdigest()


def _identity(data: bytes) -> Identity:
    return Identity(bytes_digest(data), encoding_of(data))
