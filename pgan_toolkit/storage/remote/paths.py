"""A place in a remote storage, asked as `pathlib.Path` is: what readers need of it, and no more."""

import fnmatch
import hashlib
import io
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import total_ordering
from typing import Any, Literal, TypeVar

from pgan_toolkit.storage.remote.connections import filesystem
from pgan_toolkit.storage.remote.retrying import retried
from pgan_toolkit.storage.remote.urls import check_url

__all__ = ["RemotePath", "RemoteStatus"]

Value = TypeVar("Value")

_WEB = frozenset({"http", "https"})
_CONTENT_TAGS = ("ETag", "etag", "md5Hash", "content_md5", "generation", "blob_id", "oid", "sha")
_TIMES = ("LastModified", "last_modified", "Last-Modified", "mtime", "updated", "created")


@dataclass(frozen=True)
class RemoteStatus:
    """What a storage says of an object.

    Attributes
    ----------
    st_size : int
        Bytes.
    tag : str
        Digest of what tells the object from another of the same name: its ETag or checksum, else
        its time of change, with its size. Empty where the storage says nothing of the kind.
    ranges : bool
        Whether parts of it can be read.
    """

    st_size: int
    tag: str
    ranges: bool = True


@total_ordering
class RemotePath:
    """A URL of an object, or of all objects below it.

    It holds nothing but its text: it is small, picklable, and asks the storage each time. Requests
    are repeated while their failure may pass (`retried`).

    Parameters
    ----------
    url : str
        Without user, query or fragment.

    Raises
    ------
    UsageError
        As `check_url`.
    """

    __slots__ = ("_url",)

    def __init__(self, url: str) -> None:
        self._url = check_url(url)

    def __str__(self) -> str:
        return self._url

    def __repr__(self) -> str:
        return f"RemotePath({self._url!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemotePath) and self._url == other._url

    def __lt__(self, other: "RemotePath") -> bool:
        return self._url < other._url

    def __hash__(self) -> int:
        return hash(self._url)

    def __reduce__(self) -> tuple[Callable[[str], "RemotePath"], tuple[str]]:
        return _unchecked, (self._url,)

    def __truediv__(self, name: str) -> "RemotePath":
        return _unchecked(f"{self._url}/{name}") if name else self

    @property
    def scheme(self) -> str:
        """What comes before the colon."""
        return self._url.partition(":")[0]

    @property
    def name(self) -> str:
        """The last part."""
        return self._url.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The extension with its dot."""
        return posixpath.splitext(self.name)[1]

    @property
    def stem(self) -> str:
        """The name without its extension."""
        return posixpath.splitext(self.name)[0]

    @property
    def parent(self) -> "RemotePath":
        """What it lies in; a bucket lies in itself."""
        root = self._url.find("/", len(self.scheme) + 3)
        return self if root < 0 else _unchecked(self._url.rpartition("/")[0])

    def with_name(self, name: str) -> "RemotePath":
        """Return its neighbour of that name."""
        return self.parent / name

    def absolute(self) -> "RemotePath":
        """Return itself."""
        return self

    def resolve(self) -> "RemotePath":
        """Return itself."""
        return self

    def is_relative_to(self, other: object) -> bool:
        """Whether it is, or lies below, the other."""
        return self._url == str(other) or self._url.startswith(f"{other}/")

    def relative_to(self, folder: "RemotePath") -> str:
        """Return the part of the name that is below a folder."""
        return self._url[len(str(folder)) + 1 :]

    def is_file(self) -> bool:
        """Whether it is an object."""
        return self._kind() == "file"

    def is_dir(self) -> bool:
        """Whether objects lie below it. A web server has none: it cannot be asked for them."""
        return self._kind() == "directory"

    def exists(self) -> bool:
        """Whether it is an object, or objects lie below it."""
        return self._kind() is not None

    def stat(self) -> RemoteStatus:
        """Ask for the object's size and what it is told by.

        Raises
        ------
        FileNotFoundError
            There is no such object.
        """
        return _status(self._ask(lambda store, path: store.info(path)), web=self.scheme in _WEB)

    def files(self) -> Mapping[str, RemoteStatus]:
        """List all objects below it: name below it -> status. None of none.

        One request a thousand objects, on most storages.
        """
        try:
            found = self._ask(lambda store, path: store.find(path, detail=True))
        except FileNotFoundError:
            return {}
        root = len(self.stored_name.rstrip("/")) + 1
        return {
            name[root:]: _status(info)
            for name, info in found.items()
            if info.get("type") == "file" and not name.endswith("/") and len(name) > root
        }

    def rglob(self, pattern: str) -> Iterator["RemotePath"]:
        """Give the objects below it whose own name has a pattern."""
        for name in self.files():
            if fnmatch.fnmatchcase(name.rpartition("/")[2], pattern):
                yield self / name

    def glob(self, pattern: str) -> Iterator["RemotePath"]:
        """Give what lies directly in it whose name has a pattern."""
        return (each for each in self.iterdir() if fnmatch.fnmatchcase(each.name, pattern))

    def iterdir(self) -> Iterator["RemotePath"]:
        """Give what lies directly in it, objects and folders."""
        try:
            found = self._ask(lambda store, path: store.ls(path, detail=False))
        except FileNotFoundError:
            return
        own = self.stored_name.rstrip("/")
        for name in found:
            if name.rstrip("/") != own:
                yield self / name.rstrip("/").rpartition("/")[2]

    def read_bytes(self) -> bytes:
        """Read the object whole.

        Raises
        ------
        FileNotFoundError
            There is no such object.
        """
        data: bytes = self._ask(lambda store, path: store.cat_file(path))
        return data

    def open(self, mode: Literal["rb"] = "rb") -> io.BytesIO:
        """Read the object whole, and give it as a file. Archives are opened by `Archive`."""
        return io.BytesIO(self.read_bytes())

    @property
    def stored_name(self) -> str:
        """What the storage's package calls it."""
        name: str = filesystem(self.scheme)._strip_protocol(self._url)
        return name

    def _kind(self) -> str | None:
        try:
            info = self._ask(lambda store, path: store.info(path))
        except FileNotFoundError:
            return None
        return "file" if self.scheme in _WEB else str(info["type"])

    def _ask(self, request: Callable[[Any, str], Value]) -> Value:
        store, path = filesystem(self.scheme), self.stored_name
        return retried(lambda: request(store, path), url=self._url)


def _unchecked(url: str) -> RemotePath:
    """Make a path of what was checked, or was listed: an object's name may hold anything."""
    path = object.__new__(RemotePath)
    path._url = url
    return path


def _status(info: Mapping[str, Any], *, web: bool = False) -> RemoteStatus:
    size = info.get("size")
    tag = next((f"{name} {info[name]}" for name in (*_CONTENT_TAGS, *_TIMES) if info.get(name)), "")
    digest = hashlib.sha256(f"{tag} {size}".encode()).hexdigest() if tag else ""
    known = size is not None and (not web or bool(info.get("partial")))
    return RemoteStatus(int(size or 0), digest, ranges=known)
