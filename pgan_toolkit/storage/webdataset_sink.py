"""Writing WebDataset shards: one tar file, or a folder of several of bounded size."""

import contextlib
import io
import json
import tarfile
from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Literal

from pgan_toolkit.imaging import encode_png
from pgan_toolkit.storage.base import StoredSink
from pgan_toolkit.storage.places import Place
from pgan_toolkit.storage.records import Record
from pgan_toolkit.storage.webdataset import KEY_FIELD

__all__ = ["ShardsSink", "TarSink", "open_webdataset_sink"]

_MOST_SHARD_BYTES = 1_000_000_000


class _TarWriter(StoredSink):
    """What both sinks share: the files of a sample. The same records give the same bytes."""

    def _put(self, record: Record) -> None:
        self._put_encoded(record.key, encode_png(record.image), record.label)

    def _put_encoded(self, key: str, data: bytes, label: int | None) -> None:
        shard = self._shard(len(data))
        for name, content in _sample_files(key, data, label):
            member = tarfile.TarInfo(name)  # no time, no owner, mode 0644
            member.size = len(content)
            shard.addfile(member, io.BytesIO(content))

    @abstractmethod
    def _shard(self, picture_bytes: int) -> tarfile.TarFile:
        """Return the shard that takes the next sample."""


class TarSink(_TarWriter):
    """Writes all samples into one tar file."""

    kind: ClassVar[Literal["file", "folder"]] = "file"

    def __init__(self, path: Place, *, overwrite: bool = False) -> None:
        super().__init__(path, overwrite=overwrite)
        self._tar = tarfile.open(self._target.temporary, "w")  # noqa: SIM115

    def _shard(self, picture_bytes: int) -> tarfile.TarFile:
        return self._tar

    def _finish(self) -> None:
        self._tar.close()

    def _abandon(self) -> None:
        with contextlib.suppress(OSError):
            self._tar.close()


class ShardsSink(_TarWriter):
    """Writes a folder of shards 000000.tar, 000001.tar, ...

    Parameters
    ----------
    path : Path | RemotePath
        The folder to make.
    overwrite : bool
        Replace what has that name, if it holds nothing but a data set.
    most_shard_bytes : int
        A shard takes no more samples once it holds so many bytes.
    """

    kind: ClassVar[Literal["file", "folder"]] = "folder"

    def __init__(
        self, path: Place, *, overwrite: bool = False, most_shard_bytes: int = _MOST_SHARD_BYTES
    ) -> None:
        super().__init__(path, overwrite=overwrite)
        self._most_shard_bytes = most_shard_bytes
        self._shards = 0
        self._bytes = 0
        self._tar: tarfile.TarFile | None = None

    def _shard(self, picture_bytes: int) -> tarfile.TarFile:
        full = self._tar is not None and self._bytes + picture_bytes > self._most_shard_bytes
        if self._tar is None or full:
            self._finish()
            self._tar = tarfile.open(  # noqa: SIM115
                self._target.temporary / f"{self._shards:06d}.tar", "w"
            )
            self._shards += 1
            self._bytes = 0
        self._bytes += picture_bytes
        return self._tar

    def _finish(self) -> None:
        if self._tar is not None:
            self._tar.close()

    def _abandon(self) -> None:
        with contextlib.suppress(OSError):
            self._finish()


def open_webdataset_sink(path: Place, *, overwrite: bool = False) -> StoredSink:
    """Open a sink by the name: one tar file for NAME.tar, otherwise a folder of shards."""
    sink = TarSink if path.suffix.lower() == ".tar" else ShardsSink
    return sink(path, overwrite=overwrite)


def _sample_files(key: str, data: bytes, label: int | None) -> Iterator[tuple[str, bytes]]:
    """Name and contents of each file of a sample.

    In a name all after the first dot is the extension. So a dot is written as %2E, and the key
    as it is into KEY.json.
    """
    folder, slash, base = key.rpartition("/")
    name = f"{folder}{slash}{base.replace('%', '%25').replace('.', '%2E')}"
    yield f"{name}.png", data
    if label is not None:
        yield f"{name}.cls", str(label).encode("ascii")
    if name != key:
        yield f"{name}.json", json.dumps({KEY_FIELD: key}).encode("ascii")
