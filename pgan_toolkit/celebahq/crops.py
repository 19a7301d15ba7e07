"""Where the crops of a build are kept between the workers that make them and the dataset.

All that a build asks of that place is in one class, so that the place can be another one: on a
cluster it has to be seen by every node.
"""

import contextlib
import socket
from dataclasses import dataclass
from pathlib import Path

from pgan_toolkit.errors import SetupError
from pgan_toolkit.storage import atomic_write_bytes, read_file

__all__ = ["CropFolder"]


@dataclass(frozen=True)
class CropFolder:
    """A folder of finished crops, one PNG file each, named by their keys; picklable.

    Attributes
    ----------
    folder : Path
        In the workspace; made with the first crop.
    """

    folder: Path

    def write(self, key: str, data: bytes) -> None:
        """Keep a crop's PNG bytes; one that is there is replaced in one step."""
        atomic_write_bytes(self._path(key), data)

    def read(self, key: str) -> bytes:
        """Return a crop's PNG bytes. Raises DataError if it cannot be read."""
        return read_file(self._path(key))

    def keys(self) -> set[str]:
        """Keys of the finished crops."""
        if not self.folder.is_dir():
            return set()
        return {
            path.relative_to(self.folder).with_suffix("").as_posix()
            for path in self.folder.rglob("*.png")
            if not path.name.startswith(".")
        }

    def keep_only(self, keys: set[str]) -> None:
        """Remove other crops, and what killed workers left behind."""
        for path in self.folder.rglob("*"):
            key = path.relative_to(self.folder).with_suffix("").as_posix()
            if path.is_file() and (path.suffix != ".png" or key not in keys):
                path.unlink()
        for folder in sorted(self.folder.rglob("*/"), reverse=True):  # the deepest first
            with contextlib.suppress(OSError):
                folder.rmdir()  # which only an empty one allows

    def require_shared(self) -> None:
        """Raise SetupError on a machine that does not see the build's workspace."""
        if not self.folder.parent.is_dir():
            raise SetupError(
                f"{self.folder.parent}: not found on {socket.gethostname()}; the workspace beside "
                "--out must lie on a disk that every node of the cluster sees under this path"
            )

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.png"
