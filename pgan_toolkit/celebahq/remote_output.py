"""The dataset that a build makes visible in a remote storage."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pgan_toolkit.celebahq.output import made_by_others, made_otherwise, makes_a_file
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.storage import FormatName, RemotePath, atomic_write_bytes
from pgan_toolkit.storage.remote.uploads import (
    folder_tag,
    is_incomplete,
    refuse_unwritable,
    remove_remote,
    upload,
)

__all__ = ["RemoteOutput"]


@dataclass(frozen=True)
class _Record:
    """What is or was sent: `tag` tells it from another of the name; empty while it is sent."""

    out: str
    selection: dict[str, object]
    tag: str = ""


class RemoteOutput:
    """OUT in a storage: a file is there when it is complete; a folder, when its mark is gone.

    The counterpart of `Output`. What was made stays in the workspace until it has been sent.

    Parameters
    ----------
    path : RemotePath
        Where the dataset shall be.
    record : Path
        The file in which the build notes what it sent.
    """

    def __init__(self, path: RemotePath, *, record: Path) -> None:
        self.path = path
        self._record = record

    def refuse_unusable(self, format_name: FormatName) -> None:
        """Say now what would otherwise fail after all the work.

        Raises
        ------
        UsageError
            The storage is only read, or objects lie below the name of a file.
        SetupError
            The storage denies access or does not answer.
        """
        refuse_unwritable(self.path)
        if self.path.is_dir() and makes_a_file(format_name, self.path.name):
            raise UsageError(
                f"--out {self.path}: objects lie below this name, and --format {format_name} makes "
                "a file; choose another name"
            )

    def exists(self) -> bool:
        """Whether anything has the name."""
        return self.path.exists()

    def is_made(self) -> bool:
        """Whether OUT is there, whole, and was made by this build, whatever was selected."""
        record = self._noted() if self.exists() else None
        return record is not None and bool(record.tag) and not is_incomplete(self.path)

    def is_finished(self, selection: dict[str, object]) -> bool:
        """Whether OUT is there, whole, and of this very selection.

        Raises
        ------
        DataError
            OUT is another's, of another selection, or was changed.
        """
        if not self.exists():
            return False
        record = self._noted()
        if record is None:
            raise made_by_others(self.path)
        if not record.tag or is_incomplete(self.path):
            return False  # its sending was broken off, and begins anew
        if record.tag != self._tag():
            raise DataError(
                f"{self.path}: was changed since this build wrote it; move it away, and the same "
                "command writes it again"
            )
        if record.selection != selection:
            raise made_otherwise(self.path, record.selection, selection)
        return True

    def publish(self, made: Path, *, selection: dict[str, object], pictures: int | None) -> None:
        """Send what was made. That it is sent is noted before, and what it became after.

        Raises
        ------
        SetupError
            The storage cannot be written to; the same build sends it again.
        """
        record = _Record(str(self.path), selection)
        self._note(record)
        upload(made, self.path)
        self._note(replace(record, tag=self._tag()))

    def retire(self, trash: Path) -> None:
        """Remove what this build sent; nothing else is touched.

        Raises
        ------
        UsageError
            OUT was not made by this build, or was changed.
        """
        if not self.exists():
            return
        record = self._noted()
        if record is None or (record.tag and record.tag != self._tag()):
            raise UsageError(
                f"{self.path}: --fresh removes only what a build made, and this exists "
                "without one; move it away or choose another --out"
            )
        remove_remote(self.path)

    def _tag(self) -> str:
        """What tells the object, or all objects of the folder, from others."""
        return folder_tag(self.path.files()) if self.path.is_dir() else self.path.stat().tag

    def _note(self, record: _Record) -> None:
        atomic_write_bytes(self._record, json.dumps(asdict(record)).encode())

    def _noted(self) -> _Record | None:
        """The record, if it speaks of OUT."""
        try:
            record = _Record(**json.loads(self._record.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise DataError(
                f"{self._record}: damaged, so that it does not say what {self.path} was made of; "
                f"move {self.path} away and run the same command again"
            ) from error
        return record if record.out == str(self.path) else None
