"""What a folder may hold that `overwrite` replaces."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pgan_toolkit.errors import UsageError
from pgan_toolkit.storage.keys import LABELS_FILE, PICTURE_EXTENSIONS
from pgan_toolkit.storage.places import Place
from pgan_toolkit.storage.remote.paths import RemotePath
from pgan_toolkit.storage.remote.uploads import INCOMPLETE

__all__ = ["refuse_to_replace_other_files"]

_OF_DATA_SETS = PICTURE_EXTENSIONS | {".tar", ".mdb", ".tfrecords", ".labels"}
_OF_NO_ONE = frozenset({".DS_Store", INCOMPLETE})
"""Hidden files that file managers and broken uploads leave; so are those of macOS, ``._NAME``."""


def refuse_to_replace_other_files(path: Place) -> None:
    """Refuse to replace a folder that holds more than a data set of some format.

    Hidden files and folders, such as .git, are no data set's. Does nothing where there is no folder
    of this name. Links within it are not followed: they would be removed, and not what they lead
    to.

    Parameters
    ----------
    path : Path | RemotePath
        The folder.

    Raises
    ------
    UsageError
        It names a file that is no data set's, or a folder that cannot be read.
    """
    if not path.is_dir():
        return
    other = next((name for name in _files_in(path) if not _of_a_data_set(name)), None)
    if other is not None:
        raise UsageError(
            f"{path}: holds files that are no data set's, such as {other!r}; it is not "
            "overwritten: remove it yourself, or choose another name"
        )


def _files_in(folder: Place) -> Iterator[str]:
    """Give the relative names of all files, hidden ones too, "/" between folders."""
    if isinstance(folder, RemotePath):
        yield from sorted(folder.files())
        return
    for root, folders, files in os.walk(folder, onerror=_refuse_unreadable):
        folders.sort()
        relative = Path(root).relative_to(folder)
        yield from ((relative / name).as_posix() for name in sorted(files))


def _refuse_unreadable(error: OSError) -> None:
    raise UsageError(
        f"{error.filename}: the folder cannot be read ({error.strerror}), so that nothing is "
        "overwritten: make it readable, or choose another name"
    ) from error


def _of_a_data_set(name: str) -> bool:
    hidden = next((part for part in name.split("/") if part.startswith(".")), None)
    if hidden is not None:
        return _left_behind(hidden)
    return name == LABELS_FILE or PurePosixPath(name).suffix.lower() in _OF_DATA_SETS


def _left_behind(name: str) -> bool:
    """Whether a hidden name is one that nobody misses: `AtomicPath` leaves some, when killed."""
    return name in _OF_NO_ONE or name.startswith("._") or name.endswith(".partial")
