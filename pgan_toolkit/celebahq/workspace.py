"""The files of a build beside its output: who may write, what is there, what may be removed."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pgan_toolkit.celebahq.crops import CropFolder
from pgan_toolkit.celebahq.ledger import remove_ledger
from pgan_toolkit.celebahq.output import Output, remove
from pgan_toolkit.errors import UsageError
from pgan_toolkit.storage import lock_file
from pgan_toolkit.storage.locking import is_locked

__all__ = ["Workspace"]


class Workspace:
    """`OUT.build/` beside OUT: the ledger, finished crops, the reports, and the lock.

    Attributes
    ----------
    output : Output
        The dataset.
    folder : Path
        The workspace.
    ledger, table, summary, sheet : Path
        The ledger, the CSV of all photographs, the summary and the contact sheet.
    crops : CropFolder
        Crops that are finished.
    packed : Path
        The dataset as one file, before it gets its name.

    Raises
    ------
    UsageError
        OUT does not end in a name.
    """

    def __init__(self, out: Path) -> None:
        if out.name in ("", ".."):
            raise UsageError(f"--out {out}: expected the name of a file or folder to make")
        self.folder = out.with_name(f"{out.name}.build")
        self.ledger = self.folder / "ledger.sqlite"
        self.table = self.folder / "photographs.csv"
        self.summary = self.folder / "summary.json"
        self.sheet = self.folder / "contact_sheet.png"
        self.crops = CropFolder(self.folder / "crops")
        self.packed = self.folder / "dataset"
        self._lock = self.folder / "lock"
        self._trash = self.folder / "trash"
        self._record = self.folder / "output.json"
        self.output = Output(out, record=self._record)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the workspace alone; the system releases it however this process ends.

        Raises
        ------
        SetupError
            Another build holds it, or the file system knows no locks.
        UsageError
            The folder is something else than a workspace.
        """
        self._refuse_foreign()
        self.folder.mkdir(parents=True, exist_ok=True)
        with lock_file(self._lock, work="build"):
            self._tidy()
            yield

    def is_held(self) -> bool:
        """Whether a build is at work here."""
        return is_locked(self._lock)

    def clear(self) -> None:
        """Forget everything of this build; an output that is not its own is refused.

        The ledger goes last, so that a call that was killed leaves a build that can go on.

        Raises
        ------
        UsageError
            OUT was not made by this build.
        """
        self.output.retire(self._trash)
        crops = self.crops.folder
        for path in (self._trash, crops, self.packed, self.table, self.summary, self.sheet):
            remove(path)
        remove(self._record)
        remove_ledger(self.ledger)

    def _refuse_foreign(self) -> None:
        known = self._lock.exists() or self.ledger.exists()
        if os.path.lexists(self.folder) and not known and any(self.folder.iterdir()):
            raise UsageError(
                f"{self.folder}: the build would keep its ledger here, and this is something "
                "else; move it away or choose another --out"
            )

    def _tidy(self) -> None:
        """Remove what a killed build left half done."""
        remove(self._trash)
        for path in self.folder.glob(".*.partial"):
            remove(path)
