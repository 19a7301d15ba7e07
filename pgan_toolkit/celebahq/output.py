"""The dataset that a build makes visible: whose it is, whether it is whole, how it appears."""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.storage import FormatName, Place, atomic_write_bytes
from pgan_toolkit.storage.atomic import sync_to_disk
from pgan_toolkit.storage.keys import LABELS_FILE

__all__ = ["Output", "made_by_others", "made_otherwise", "makes_a_file", "remove"]


@dataclass(frozen=True)
class _Record:
    """What was published: by its marks another thing of the same name is told apart.

    `pictures` are the PNG files of a folder; None where a format has its own.
    """

    selection: dict[str, object]
    marks: list[int]
    pictures: int | None


class Output:
    """OUT: absent until it is complete, then all at once under its name.

    Parameters
    ----------
    path : Path
        Where the dataset shall be.
    record : Path
        The file in which the build notes what it published.
    """

    def __init__(self, path: Path, *, record: Path) -> None:
        self.path = path
        self._record = record

    def refuse_unusable(self, format_name: FormatName) -> None:
        """Say now what would otherwise fail after all the work.

        Raises
        ------
        UsageError
            The path cannot be renamed onto: a link, a mount point, a folder in place of a file.
        """
        reason = ""
        if self.path.is_symlink():
            reason = "is a link; name the place that it leads to"
        elif self.path.is_mount():
            reason = "is a mount point; name a folder in it"
        elif self.path.is_dir() and makes_a_file(format_name, self.path.name):
            reason = f"is a folder, and --format {format_name} makes a file; choose another name"
        if reason:
            raise UsageError(f"--out {self.path}: {reason}")

    def exists(self) -> bool:
        """Whether OUT is there and more than an empty folder."""
        if self.path.is_dir():
            return any(self.path.iterdir())
        return os.path.lexists(self.path)

    def is_made(self) -> bool:
        """Whether OUT is there and was made by this build, whatever was selected."""
        return self.exists() and self._made() is not None

    def is_finished(self, selection: dict[str, object]) -> bool:
        """Whether OUT is there, whole, and of this very selection.

        Raises
        ------
        DataError
            OUT is another's, of another selection, or not whole.
        """
        if not self.exists():
            return False
        made = self._made()
        if made is None:
            raise made_by_others(self.path)
        if made.selection != selection:
            raise made_otherwise(self.path, made.selection, selection)
        if made.pictures is not None:
            self._require_pictures(made.pictures)
        return True

    def _require_pictures(self, written: int) -> None:
        found = sum(1 for _ in self.path.rglob("*.png"))
        if found != written:
            raise DataError(
                f"{self.path}: holds {found:,} pictures, {written:,} were written; "
                "move it away, and the same command writes all of them again"
            )

    def publish(self, made: Path, *, selection: dict[str, object], pictures: int | None) -> None:
        """Give what was made its final name.

        What it is is noted before, so that a build that was killed in between knows it again.

        Parameters
        ----------
        made : Path
            The dataset.
        selection : dict
            What was selected.
        pictures : int | None
            How many PNG files it is; None if it is something else.
        """
        record = _Record(selection, _marks(made), pictures)
        atomic_write_bytes(self._record, json.dumps(asdict(record)).encode())
        if made.is_dir():
            # The pictures' bytes are on the disk already; their names must be, too.
            for folder in (made, *made.rglob("*/")):
                sync_to_disk(folder)
        made.rename(self.path)
        sync_to_disk(self.path.parent)

    def retire(self, trash: Path) -> None:
        """Take OUT's name away from what this build made; nothing else is touched.

        Raises
        ------
        UsageError
            OUT was not made by this build.
        """
        if not self.exists():
            return
        if self._made() is None:
            raise UsageError(
                f"{self.path}: --fresh removes only what a build made, and this exists "
                "without one; move it away or choose another --out"
            )
        self.path.rename(trash)

    def _made(self) -> _Record | None:
        """The record, if OUT is what it speaks of."""
        try:
            record = _Record(**json.loads(self._record.read_bytes()))
        except FileNotFoundError:
            return None
        except (RecursionError, TypeError, ValueError) as error:
            raise DataError(
                f"{self._record}: damaged, so that it does not say what {self.path} was made of; "
                f"move {self.path} away and run the same command again"
            ) from error
        return record if _marks(self.path) == record.marks else None


def makes_a_file(format_name: FormatName, name: str) -> bool:
    """Whether a dataset of that format and name is one file, not a folder."""
    if format_name == "webdataset":
        return name.lower().endswith(".tar")
    return format_name in ("zip", "hdf5", "hdf5-multires", "numpy")


def _marks(path: Path) -> list[int]:
    """What tells a file from another that has its name, and perhaps its inode, later.

    Of a folder, its first file is marked as well: its own times change when pictures are removed,
    which another message tells.
    """
    marks = [path.lstat().st_ino]
    if path.is_dir():
        labels = path / LABELS_FILE
        files = [labels] if labels.is_file() else sorted(path.iterdir())
        path = files[0] if files else path
    stat = path.lstat()
    return [*marks, stat.st_ino, stat.st_size, stat.st_mtime_ns]


def remove(path: Path) -> None:
    """Remove a file, a link or a folder; nothing happens if there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def made_by_others(path: Place) -> DataError:
    """Make the error for an output that this build did not make."""
    return DataError(
        f"{path}: exists and was not made by this build; choose another --out, or move it away"
    )


def made_otherwise(path: Place, before: dict[str, object], now: dict[str, object]) -> DataError:
    """Make the error for an output of another selection."""
    return DataError(
        f"{path}: is finished, with other settings: {_changes(before, now)}. Choose another --out, "
        "move it away to choose anew from the same scores, or use --fresh to begin anew"
    )


def _changes(before: dict[str, object], now: dict[str, object]) -> str:
    names = sorted({*before, *now})
    return ", ".join(
        f"{name}: {before.get(name)}, now {now.get(name)}"
        for name in names
        if before.get(name) != now.get(name)
    )
