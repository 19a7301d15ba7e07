"""What looks at the pictures of an evaluation besides its metrics."""

from abc import abstractmethod
from typing import Literal, Protocol, runtime_checkable

from pgan_toolkit.evaluation.cache import StatisticsCache
from pgan_toolkit.evaluation.comparing.one_pass import Share
from pgan_toolkit.evaluation.streams import ImageStream

__all__ = ["Onlooker"]


@runtime_checkable
class Onlooker(Protocol):
    """Looks at the pictures as they pass, so that nobody has to read them again."""

    @abstractmethod
    def begin(self, real: ImageStream, fake: ImageStream) -> None:
        """Be told, before anything is read, what is going to be."""

    @abstractmethod
    def share(self, side: Literal["real", "fake"]) -> Share:
        """Return what takes the pictures of a side, of any sizes."""

    @abstractmethod
    def recall(self, cache: StatisticsCache) -> bool:
        """Look up what was seen of these real pictures before, and say whether it was there."""

    @abstractmethod
    def findings(self) -> tuple[str, ...] | None:
        """Say in sentences what was seen to be wrong with the fake pictures, at the end.

        None where there were too few to say.
        """

    @abstractmethod
    def keep(self, cache: StatisticsCache) -> None:
        """Keep what was seen of the real pictures just now."""
