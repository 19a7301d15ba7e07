"""A data set as a folder of picture files, with an optional `dataset.json` of labels."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import decode_image, encode_png
from pgan_toolkit.storage.base import PictureInfo, StoredSink, StoredSource
from pgan_toolkit.storage.headers import read_header
from pgan_toolkit.storage.keys import LABELS_FILE, index_pictures
from pgan_toolkit.storage.labels import format_labels, parse_labels
from pgan_toolkit.storage.places import Place
from pgan_toolkit.storage.reading import (
    MOST_PICTURE_BYTES,
    MOST_TEXT_BYTES,
    open_start,
    read_file,
)
from pgan_toolkit.storage.records import Record
from pgan_toolkit.storage.remote.paths import RemotePath

__all__ = ["FolderSink", "FolderSource", "list_files"]


class FolderSource(StoredSource):
    """All pictures in a folder and the folders in it, in the order of their keys.

    Parameters
    ----------
    path : Path | RemotePath
        The folder.

    Raises
    ------
    DataError
        Two pictures have the same key, a name is unsafe, or `dataset.json` is damaged.
    """

    def __init__(self, path: Place) -> None:
        index = index_pictures(list_files(path), where=str(path))
        labels_path = path / LABELS_FILE
        labels = (
            parse_labels(read_file(labels_path, most_bytes=MOST_TEXT_BYTES), name=str(labels_path))
            if labels_path.is_file()
            else {}
        )
        super().__init__(
            path.absolute(),
            format_name="folder",
            keys=index.keys,
            labels=[labels.get(file) for file in index.files],
        )
        self.ignored = index.ignored
        self._files = index.files

    def _read(self, index: int) -> Image:
        return decode_image(self._encoded(index), name=self._name(index))

    def _inspect(self, index: int) -> PictureInfo:
        path = self.path / self._files[index]
        height, width, encoding = read_header(
            lambda: open_start(path), lambda: self._encoded(index), name=str(path)
        )
        return PictureInfo(height, width, path.stat().st_size, encoding)

    def _encoded(self, index: int) -> bytes:
        return read_file(self.path / self._files[index], most_bytes=MOST_PICTURE_BYTES)

    def _name(self, index: int) -> str:
        return str(self.path / self._files[index])


class FolderSink(StoredSink):
    """Writes a folder of PNG files and `dataset.json`."""

    kind: ClassVar[Literal["file", "folder"]] = "folder"

    def __init__(self, path: Place, *, overwrite: bool = False) -> None:
        super().__init__(path, overwrite=overwrite)
        self._labels: list[tuple[str, int | None]] = []

    def _put(self, record: Record) -> None:
        self._put_encoded(record.key, encode_png(record.image), record.label)

    def _put_encoded(self, key: str, data: bytes, label: int | None) -> None:
        file = self._target.temporary / f"{key}.png"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("xb") as out:
                out.write(data)
        except (FileExistsError, NotADirectoryError) as error:
            raise DataError(
                f"{self.path}: the key {key!r} needs a folder where another key has its file; "
                "rename one, or write a zip file"
            ) from error
        self._labels.append((f"{key}.png", label))

    def _finish(self) -> None:
        (self._target.temporary / LABELS_FILE).write_bytes(format_labels(self._labels))

    def _abandon(self) -> None:
        pass


def list_files(folder: Place) -> Iterator[str]:
    """Give the relative names of all files in a folder, "/" between folders; links are followed.

    Hidden folders are not entered, and no folder is entered twice. Of a remote folder one listing
    is asked for.

    Raises
    ------
    DataError
        A folder cannot be read.
    """
    if isinstance(folder, RemotePath):
        names = folder.files()
        yield from (name for name in names if "/." not in f"/{name.rpartition('/')[0]}")
        return
    entered = set()
    for root, folders, files in os.walk(folder, onerror=_refuse_unreadable, followlinks=True):
        status = os.stat(root)  # noqa: PTH116 - the walk gives strings
        if (status.st_dev, status.st_ino) in entered:
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        relative = Path(root).relative_to(folder)
        for name in files:
            yield (relative / name).as_posix()


def _refuse_unreadable(error: OSError) -> None:
    raise DataError(
        f"{error.filename}: the folder cannot be read ({error.strerror}); "
        "make it readable or leave it out"
    ) from error
