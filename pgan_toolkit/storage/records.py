"""What every storage format reads and writes: records, sources and sinks."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, runtime_checkable

from pgan_toolkit.arrays import Image

__all__ = ["ImageSink", "ImageSource", "Record"]


@dataclass(frozen=True, eq=False)
class Record:
    """One picture of a data set.

    Attributes
    ----------
    key : str
        Its name within the set: a relative path without the extension, "/" between folders.
    image : Image
        uint8 (H, W, 3), RGB, C-contiguous.
    label : int | None
        Class index, where the set has labels.
    """

    key: str
    image: Image
    label: int | None = None


@runtime_checkable
class ImageSource(Protocol):
    """A picklable, random-access data set; a worker process reopens it from its pickle."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Record: ...

    @abstractmethod
    def __iter__(self) -> Iterator[Record]: ...

    @abstractmethod
    def keys(self) -> Sequence[str]:
        """Return the keys of all records, in the order of their indices."""


@runtime_checkable
class ImageSink(Protocol):
    """Takes records and makes the data set visible under its final name at `close`.

    Used as a context manager, it closes on success; on an error it removes what it wrote.
    """

    @abstractmethod
    def write(self, record: Record) -> None:
        """Take one record. Raises DataError for a key that was written before."""

    @abstractmethod
    def write_encoded(self, key: str, data: bytes, label: int | None = None) -> None:
        """Take one record whose picture is the bytes of a PNG file.

        Formats that hold PNG files store the bytes as they are; the others decode them.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish, and make the data set visible under its final name."""

    @abstractmethod
    def __enter__(self) -> "ImageSink": ...

    @abstractmethod
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
