"""The files of a build beside its output: who may write, what is there, what may be removed."""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pgan_toolkit.errors import DataError, SetupError, UsageError
from pgan_toolkit.storage import atomic_write_bytes

__all__ = ["Workspace"]


class Workspace:
    """`OUT.build/` beside OUT: the ledger, finished crops, the reports, and the lock.

    Attributes
    ----------
    out : Path
        The dataset: absent until it is complete.
    folder : Path
        The workspace.
    ledger, table, summary, sheet : Path
        The ledger, the CSV of all photographs, the summary and the contact sheet.
    spool : Path
        Crops that are finished, one PNG file each.

    Raises
    ------
    UsageError
        OUT does not end in a name.
    """

    def __init__(self, out: Path) -> None:
        if out.name in ("", ".."):
            raise UsageError(f"--out {out}: expected the name of a file or folder to make")
        self.out = out
        self.folder = out.with_name(f"{out.name}.build")
        self.ledger = self.folder / "ledger.sqlite"
        self.table = self.folder / "photographs.csv"
        self.summary = self.folder / "summary.json"
        self.sheet = self.folder / "contact_sheet.png"
        self.spool = self.folder / "crops"
        self._owned = self.folder / "output.json"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the workspace alone; the system releases it however this process ends.

        Raises
        ------
        SetupError
            Another build holds it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
                raise SetupError(
                    f"{self.folder}: another build (process {holder}) is at work here; "
                    "wait for it, or choose another --out"
                ) from error
            os.ftruncate(handle, 0)
            os.write(handle, str(os.getpid()).encode())
            yield
        finally:
            os.close(handle)

    def has_output(self) -> bool:
        """Whether OUT exists and is more than an empty folder."""
        if self.out.is_dir():
            return any(self.out.iterdir())
        return self.out.exists()

    def own(self, selection: dict[str, object]) -> None:
        """Record, before OUT appears, that it is this build's and what it holds."""
        atomic_write_bytes(self._owned, json.dumps(selection).encode())

    def owned(self) -> dict[str, object] | None:
        """What OUT was made of, if this build made it.

        Raises
        ------
        DataError
            The record is damaged.
        """
        try:
            text = self._owned.read_text()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            text = ""
        try:
            return dict(json.loads(text))
        except (ValueError, TypeError) as error:
            raise DataError(
                f"{self._owned}: damaged, so that it does not say what {self.out} was made of; "
                f"move {self.out} away and run the same command again"
            ) from error

    def check_output(self, selection: dict[str, object]) -> bool:
        """Whether OUT is finished, with this very selection.

        Raises
        ------
        DataError
            OUT holds something else.
        """
        if not self.has_output():
            return False
        made_of = self.owned()
        if made_of is None:
            raise DataError(
                f"{self.out}: exists and was not made by this build; "
                "choose another --out, or move it away"
            )
        if made_of != selection:
            raise DataError(
                f"{self.out}: is finished, with other settings: {_changes(made_of, selection)}. "
                "Choose another --out, move it away to choose anew from the same scores, "
                "or use --fresh to begin anew"
            )
        return True

    def clear(self) -> None:
        """Forget everything of this build; an output that is not its own is refused.

        Raises
        ------
        UsageError
            OUT was not made by this build.
        """
        if self.has_output():
            if self.owned() is None:
                raise UsageError(
                    f"{self.out}: --fresh removes only what a build made, and this exists "
                    "without one; move it away or choose another --out"
                )
            _remove(self.out)
        for entry in self.folder.iterdir():
            if entry.name != "lock":
                _remove(entry)

    def spooled(self) -> set[str]:
        """Keys of the finished crops."""
        if not self.spool.is_dir():
            return set()
        return {
            path.relative_to(self.spool).with_suffix("").as_posix()
            for path in self.spool.rglob("*.png")
            if not path.name.startswith(".")
        }

    def keep_only(self, keys: set[str]) -> None:
        """Remove crops that were not selected, and what killed workers left behind."""
        for path in self.spool.rglob("*"):
            key = path.relative_to(self.spool).with_suffix("").as_posix()
            if path.is_file() and (path.suffix != ".png" or key not in keys):
                path.unlink()
        for folder in sorted(self.spool.rglob("*/"), reverse=True):  # the deepest first
            with contextlib.suppress(OSError):
                folder.rmdir()  # which only an empty one allows


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _changes(before: dict[str, object], now: dict[str, object]) -> str:
    names = sorted({*before, *now})
    return ", ".join(
        f"{name}: {before.get(name)}, now {now.get(name)}"
        for name in names
        if before.get(name) != now.get(name)
    )
