"""Names of records: which are safe, which files of a tree are pictures, and in what order."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from pgan_toolkit.errors import DataError

__all__ = [
    "LABELS_FILE",
    "PICTURE_EXTENSIONS",
    "KeyRegister",
    "PictureIndex",
    "check_key",
    "index_pictures",
    "numbered_key",
]

LABELS_FILE = "dataset.json"
PICTURE_EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif"}
    | {".tif", ".tiff", ".bmp", ".ppm", ".pgm"}
)
"""Files with these extensions, in any case, are taken for pictures, here and by a build."""

_MAX_PART_BYTES = 240  # file systems take 255, the extension included
_BACKSLASH = "holds a backslash"
_ESCAPED_BYTE = re.compile(rb"\\x([89a-f][0-9a-f])")


def check_key(key: str, *, where: str, name: str | None = None) -> None:
    """Refuse a key that could leave its folder, hide, or not be a file name.

    Parameters
    ----------
    key : str
        The record's name, without extension.
    where : str
        What an error calls the place: the data set or the file.
    name : str | None
        The name of the record's file, where that is known. The key of one that is not UTF-8 may
        hold its bytes as escapes: the error is then about the name.

    Raises
    ------
    DataError
        The key is empty, absolute, has an empty, "." or ".." part, a part that starts with a dot
        (a hidden file), a backslash, a control character, text that UTF-8 cannot hold, or a part
        of more than 240 bytes.
    """
    reason, remedy = _unsafe(key), "rename it"
    if reason == _BACKSLASH and _may_escape_bytes(key, name):
        of_file = "that of a file whose name is not UTF-8"
        reason = f"is {of_file}" if name else f"{_BACKSLASH}, as does {of_file}"
        remedy = "rename the file"
    if reason:
        raise DataError(
            f"{where}: the key {key!r} {reason}; expected a relative path such as 'faces/000001': "
            f"{remedy}"
        )


def _may_escape_bytes(key: str, name: str | None) -> bool:
    """Whether all backslashes of a key stand for bytes that are not UTF-8 in its file's name."""
    if name is not None:
        return "\\" not in name and not _is_utf8(name)
    stored = _ESCAPED_BYTE.sub(lambda found: bytes([int(found[1], 16)]), key.encode())
    return b"\\" not in stored and stored.decode("utf-8", "backslashreplace") == key


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unsafe(key: str) -> str:
    if any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in key):
        return "holds a control character"
    try:
        parts = key.encode().split(b"/")
    except UnicodeEncodeError:
        return "is not text that UTF-8 can hold"
    if b"\\" in key.encode():
        return _BACKSLASH
    if b"" in parts:
        return "is empty, absolute, or has an empty part"
    if any(part.startswith(b".") for part in parts):
        return "has a part that starts with a dot"
    if max(map(len, parts)) > _MAX_PART_BYTES:
        return f"has a part of more than {_MAX_PART_BYTES} bytes"
    return ""


class KeyRegister:
    """Remembers the keys of one data set and refuses unsafe ones and those that collide.

    Keys collide when they differ only in case, because some file systems cannot tell them apart.

    Parameters
    ----------
    where : str
        What an error calls the data set.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._sources: dict[str, str] = {}

    def add(self, key: str, *, name: str | None = None) -> None:
        """Take a key.

        Parameters
        ----------
        key : str
            The record's name.
        name : str | None
            What an error calls it, where that is not the key: the file's name.

        Raises
        ------
        DataError
            The key is unsafe (`check_key`) or collides with one before.
        """
        check_key(key, where=self._where, name=name)
        name = key if name is None else name
        folded = key.casefold()
        if folded in self._sources:
            raise DataError(
                f"{self._where}: {self._sources[folded]!r} and {name!r} have the same key {key!r} "
                "(extensions and case do not count); rename or remove one"
            )
        self._sources[folded] = name


@dataclass(frozen=True)
class PictureIndex:
    """The pictures among a tree's files.

    Attributes
    ----------
    keys, files : tuple of str
        The pictures' keys in ascending order of code points, and their file names with extension.
    ignored : tuple of str
        Files that are neither pictures, nor hidden, nor the label file.
    """

    keys: tuple[str, ...]
    files: tuple[str, ...]
    ignored: tuple[str, ...]


def index_pictures(names: Iterable[str], *, where: str) -> PictureIndex:
    """Find the pictures among relative file names with "/" between folders.

    Raises
    ------
    DataError
        A name is unsafe, or two pictures have the same key.
    """
    register = KeyRegister(where)
    pictures, ignored = [], []
    for name in sorted(names):
        if name == LABELS_FILE or _hidden(name):
            continue
        extension = PurePosixPath(name).suffix
        if extension.lower() not in PICTURE_EXTENSIONS:
            ignored.append(name)
            continue
        key = name[: -len(extension)]
        register.add(key, name=name)
        pictures.append((key, name))
    pictures.sort()
    return PictureIndex(
        tuple(key for key, _ in pictures), tuple(name for _, name in pictures), tuple(ignored)
    )


def _hidden(name: str) -> bool:
    return any(part.startswith(".") and part not in {".", ".."} for part in name.split("/"))


def numbered_key(index: int) -> str:
    """Key of a record that has none, by its place: 12345 is "00012/img00012345"."""
    return f"{index // 1000:05d}/img{index:08d}"
