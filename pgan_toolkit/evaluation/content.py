"""What the pictures of a set are, byte for byte: digests that tell equal sets and changed files."""

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pgan_toolkit.arrays import Image
from pgan_toolkit.digests import bytes_digest, pixel_digest
from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import decode_image
from pgan_toolkit.storage import ImageSource, StoredSource, read_file
from pgan_toolkit.storage.encodings import encoding_of
from pgan_toolkit.storage.folder import list_files
from pgan_toolkit.storage.keys import index_pictures

__all__ = ["Identity", "PictureReader", "set_digest"]

_ZIP_ERRORS = (
    OSError,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


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
        self._files, self._bytes = _by_file(source)

    def name(self, index: int) -> str:
        """What a message calls a picture: its file where there is one, else set and key."""
        if self._bytes is not None:
            return self._files[index]
        where = f"{self._source.path}: " if isinstance(self._source, StoredSource) else ""
        return f"{where}{self._source.keys()[index]}"

    def read(self, index: int) -> tuple[Image, Identity]:
        """Decode a picture, and say what it was decoded from.

        Raises
        ------
        DataError
            It cannot be read; the message names it.
        """
        if self._bytes is None:
            return self._decoded(index)
        data = self._bytes(index)
        return decode_image(data, name=self.name(index)), _identity(data)

    def identify(self, index: int) -> Identity:
        """Say what a picture is, from its stored bytes where there are any, without decoding them.

        Raises
        ------
        DataError
            It cannot be read; the message names it.
        """
        return self._decoded(index)[1] if self._bytes is None else _identity(self._bytes(index))

    def _decoded(self, index: int) -> tuple[Image, Identity]:
        image = self._source[index].image
        source = self._source
        encoding = source.info(index).encoding if isinstance(source, StoredSource) else "pixels"
        return image, Identity(pixel_digest(image), encoding)


def set_digest(identities: Iterable[Identity]) -> str:
    """SHA-256 of the pictures' digests in their order: equal for equal sets in equal order."""
    digest = hashlib.sha256()
    for identity in identities:
        digest.update(bytes.fromhex(identity.digest))
    return digest.hexdigest()


def _identity(data: bytes) -> Identity:
    return Identity(bytes_digest(data), encoding_of(data))


def _by_file(source: ImageSource) -> tuple[tuple[str, ...], Callable[[int], bytes] | None]:
    """Return the files' full names and what reads them, of a source that consists of files."""
    if not isinstance(source, StoredSource):
        return (), None
    if source.format == "folder":
        files = index_pictures(list_files(source.path), where=str(source.path)).files
        _require_unchanged(source, files)
        folder = source.path
        return tuple(str(folder / file) for file in files), lambda at: read_file(folder / files[at])
    if source.format == "zip":
        archive = _open_zip(source)
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        members = index_pictures(names, where=str(source.path)).files
        _require_unchanged(source, members)
        named = tuple(f"{source.path}: {member}" for member in members)
        return named, lambda at: _member(archive, members[at], named[at])
    return (), None


def _require_unchanged(source: StoredSource, files: tuple[str, ...]) -> None:
    if len(files) != len(source):
        raise DataError(
            f"{source.path}: has {len(files):,} pictures, and had {len(source):,} when it was "
            "opened; wait until it is complete"
        )


def _open_zip(source: StoredSource) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source.path)
    except _ZIP_ERRORS as error:
        raise DataError(
            f"{source.path}: the zip file is damaged or incomplete ({error}); get or make it again"
        ) from error


def _member(archive: zipfile.ZipFile, member: str, name: str) -> bytes:
    try:
        return archive.read(member)
    except _ZIP_ERRORS as error:
        raise DataError(
            f"{name}: damaged in the zip file ({error}); get or make it again"
        ) from error
