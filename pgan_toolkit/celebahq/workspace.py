"""The files of a build beside its output: who may write, what is there, what may be removed."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pgan_toolkit.celebahq.crops import CropFolder
from pgan_toolkit.celebahq.ledger import remove_ledger
from pgan_toolkit.celebahq.output import Output, remove
from pgan_toolkit.celebahq.remote_output import RemoteOutput
from pgan_toolkit.errors import UsageError
from pgan_toolkit.storage import Place, lock_file
from pgan_toolkit.storage.locking import is_locked

__all__ = ["Workspace", "workspace_of"]


class Workspace:
    """`OUT.build/`: the ledger, finished crops, the reports, and the lock.

    It is beside OUT; where that is remote, in the folder in which the program was started.

    Attributes
    ----------
    output : Output | RemoteOutput
        The dataset.
    folder : Path
        The workspace.
    ledger, table, summary, sheet : Path
        The ledger, the CSV of all photographs, the summary and the contact sheet.
    crops : CropFolder
        Crops that are finished.
    packed : Path
        The dataset in another format than a folder of pictures, before it gets its place. It has
        its name already: formats call their files by it.

    Raises
    ------
    UsageError
        OUT does not end in a name.
    """

    def __init__(self, out: Place) -> None:
        if out.name in ("", ".."):
            raise UsageError(f"--out {out}: expected the name of a file or folder to make")
        self.folder = workspace_of(out)
        self.ledger = self.folder / "ledger.sqlite"
        self.table = self.folder / "photographs.csv"
        self.summary = self.folder / "summary.json"
        self.sheet = self.folder / "contact_sheet.png"
        self.crops = CropFolder(self.folder / "crops")
        self.packed = self.folder / "packed" / out.name
        self._lock = self.folder / "lock"
        self._trash = self.folder / "trash"
        self._record = self.folder / "output.json"
        self.output = (
            Output(out, record=self._record)
            if isinstance(out, Path)
            else RemoteOutput(out, record=self._record)
        )

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
        for path in (self._trash, crops, self.packed.parent, self.table, self.summary, self.sheet):
            remove(path)
        remove(self._record)
        remove_ledger(self.ledger)

    def _refuse_foreign(self) -> None:
        known = self._lock.exists() or self.ledger.exists()
        there = os.path.lexists(self.folder) and not known
        if there and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise UsageError(
                f"{self.folder}: the build would keep its ledger here, and this is something "
                "else; move it away or choose another --out"
            )

    def _tidy(self) -> None:
        """Remove what a killed build left half done."""
        remove(self._trash)
        for path in self.folder.glob(".*.partial"):
            remove(path)


def workspace_of(out: Place) -> Path:
    """Return the workspace of an output: beside it, of a remote one in the current folder.

    The ledger and its locks need a disk of this machine.

    Parameters
    ----------
    out : Path | RemotePath
        The dataset that is made.
    """
    beside = out if isinstance(out, Path) else Path.cwd() / out.name
    return beside.with_name(f"{out.name}.build")
