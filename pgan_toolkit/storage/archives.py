"""A file that is read at places here and there, on this machine or in a remote storage."""

import os
from io import BufferedReader
from pathlib import Path

from pgan_toolkit.storage.places import Place
from pgan_toolkit.storage.remote.copies import local_copy
from pgan_toolkit.storage.remote.paths import RemotePath, RemoteStatus
from pgan_toolkit.storage.remote.ranges import RangeFile, RangeReader

__all__ = ["Archive"]


class Archive:
    """A file by its place, and if it is remote by what it was when it was opened.

    Picklable: another process opens it anew, and refuses it if it was replaced meanwhile. A remote
    one is read by parts, or where that cannot be from a copy on this machine.

    Parameters
    ----------
    path : Path | RemotePath
        The file.
    whole : bool
        Whether all of it will be read, or mapped into memory, so that a remote one is copied.

    Raises
    ------
    FileNotFoundError
        There is no such object.
    """

    def __init__(self, path: Place, *, whole: bool = False) -> None:
        self.path = path
        self._reader: tuple[int, RangeReader] | None = None
        self._remote: tuple[RemotePath, RemoteStatus] | None = None
        self._local = Path()
        if isinstance(path, Path):
            self._local = path
        else:
            status = path.stat()
            self._remote = (path, status)
            whole = whole or not status.ranges
            if whole:
                # A copy that cannot be told from that of another object is fetched by each opening.
                local_copy(path, status, fresh=not status.tag)
        self._whole = whole

    def __str__(self) -> str:
        return str(self.path)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_reader": None}

    @property
    def name(self) -> str:
        """Its name, without the folders."""
        return self.path.name

    @property
    def stem(self) -> str:
        """Its name without the extension."""
        return self.path.stem

    @property
    def size(self) -> int:
        """Bytes."""
        reader = self._parts()
        return self.local().stat().st_size if reader is None else reader.status.st_size

    @property
    def by_parts(self) -> bool:
        """Whether it is read in a storage, not on this machine."""
        return self._remote is not None and not self._whole

    def open(self) -> BufferedReader:
        """Open it at its start. Each caller has its own place.

        Raises
        ------
        OSError
            It cannot be read, on this machine.
        PganError
            It cannot be read, in a storage.
        """
        reader = self._parts()
        return self.local().open("rb") if reader is None else BufferedReader(RangeFile(reader))

    def read(self, offset: int, size: int) -> bytes:
        """Read bytes, fewer at its end; by any thread. Raises as `open`."""
        reader = self._parts()
        if reader is not None:
            return reader.read(offset, size)
        with self.local().open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def local(self) -> Path:
        """Return the file, or a copy of it on this machine.

        Raises
        ------
        PganError
            It cannot be copied.
        """
        return self._local if self._remote is None else local_copy(*self._remote)

    def _parts(self) -> RangeReader | None:
        """Return what reads parts of a remote file, opened in this process; None for others."""
        if self._remote is None or self._whole:
            return None
        if self._reader is None or self._reader[0] != os.getpid():
            self._reader = (os.getpid(), RangeReader(*self._remote))
        return self._reader[1]
