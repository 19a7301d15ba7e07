"""Where a run keeps what, and what marks it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage import lock_file, read_file

__all__ = ["FORMAT", "README", "VERSION", "RunFolder", "is_run", "read_record"]

FORMAT = "pgan-toolkit training run"
"""What `run.json` says of itself, and by which a run is known."""

VERSION = 1
_MOST_BYTES = 16 << 20

README = """\
A training run of pgan-toolkit: progressive growing of GANs (Karras et al., ICLR 2018).

settings.toml     every setting of the run, each with what it means
run.json          where the pictures are and what they are; with which versions, on which devices
                  and by which command the run was begun, and each time that it was resumed
log.jsonl         a line a tick: kimg (thousands of reals shown), resolution, losses, speed, memory
metrics.jsonl     a line a measurement: SWD, MS-SSIM, ... of the average generator
reals.png         some of the reals
fakes/            kimg-000600.000.png: pictures of the average generator, always of the same latents
checkpoints/      kimg-000600.000.safetensors: the complete state of the run at that kimg. The last
                  few stay (keep_checkpoints in settings.toml) and the one of the lowest SWD
checkpoints/left-behind/
fakes/left-behind/
                  what a run had come to before it was resumed from an older checkpoint. Nothing
                  reads these: remove them when you like
tensorboard/      curves, where --tensorboard asked for them
lock              held while a process works here
README.txt        this text

To go on with it, exactly:    pgan-toolkit train --resume FOLDER
Longer than it was meant to:  pgan-toolkit train --resume FOLDER --set total_kimg=...
From an older state:          pgan-toolkit train --resume FOLDER --checkpoint FILE
Pictures of it:               pgan-toolkit generate FOLDER --grid 8x4 --out grid.png
How it grew:                  pgan-toolkit timelapse FOLDER --out growth.mp4
What it is worth:             pgan-toolkit swd REALS FOLDER
  after reducing REALS that are larger than this run's pictures, as it did:
                              pgan-toolkit data convert REALS SMALLER --size PIXELS

A checkpoint is a safetensors file, which other programs can read. generator_ema/... is the average
generator, whose pictures are meant wherever this run's pictures are spoken of.
"""


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps what it makes.

    Attributes
    ----------
    path : Path
        The folder.
    """

    path: Path

    @property
    def settings(self) -> Path:
        """Every setting, as `read_settings` reads it."""
        return self.path / "settings.toml"

    @property
    def record(self) -> Path:
        """Data, versions, devices and commands; what marks a run."""
        return self.path / "run.json"

    @property
    def log(self) -> Path:
        """One JSON object a tick."""
        return self.path / "log.jsonl"

    @property
    def metrics(self) -> Path:
        """One JSON object a measurement."""
        return self.path / "metrics.jsonl"

    @property
    def reals(self) -> Path:
        """A grid of reals."""
        return self.path / "reals.png"

    @property
    def fakes_folder(self) -> Path:
        """Grids of fakes."""
        return self.path / "fakes"

    @property
    def checkpoints_folder(self) -> Path:
        """Complete states."""
        return self.path / "checkpoints"

    @property
    def left_behind(self) -> Path:
        """Checkpoints later than the one that the run was resumed from."""
        return self.checkpoints_folder / "left-behind"

    @property
    def fakes_left_behind(self) -> Path:
        """Grids of fakes later than the checkpoint that the run was resumed from."""
        return self.fakes_folder / "left-behind"

    @property
    def tensorboard(self) -> Path:
        """Curves."""
        return self.path / "tensorboard"

    @property
    def lock(self) -> Path:
        """Held by the run that is at work."""
        return self.path / "lock"

    @property
    def readme(self) -> Path:
        """What all of this is."""
        return self.path / "README.txt"

    def fakes(self, kimg: float) -> Path:
        """Return where the grid of fakes after so many kimg is."""
        return self.fakes_folder / f"kimg-{kimg:010.3f}.png"

    def checkpoint(self, kimg: float) -> Path:
        """Return where the state after so many kimg is."""
        return self.checkpoints_folder / f"kimg-{kimg:010.3f}.safetensors"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from working here; makes the folder where there is none.

        Raises
        ------
        SetupError
            Another run is at work here, or the file system knows no locks.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with lock_file(self.lock, work="training"):
            yield


def is_run(path: Path) -> bool:
    """Whether there is a run of the reference trainer, of whatever version, in a folder."""
    try:
        return _parsed(RunFolder(path).record).get("format") == FORMAT
    except DataError:
        return False


def read_record(folder: RunFolder) -> dict[str, object]:
    """Return what `run.json` holds.

    Raises
    ------
    DataError
        There is no run in the folder, or it is of another version.
    """
    if not folder.path.is_dir():
        raise DataError(f"{folder.path}: no such folder; name the folder of a run")
    if not folder.record.is_file():
        raise DataError(
            f"{folder.path}: holds no run ({folder.record.name} is missing); name the folder that "
            "was given as --out to `pgan-toolkit train`"
        )
    found = _parsed(folder.record)
    if found.get("format") != FORMAT:
        raise DataError(f"{folder.record}: is of another program; name the folder of a run")
    if found.get("version") != VERSION:
        raise DataError(
            f"{folder.record}: is of version {found.get('version')}; expected {VERSION}: use the "
            "pgan-toolkit that began the run"
        )
    return found


def _parsed(path: Path) -> dict[str, object]:
    try:
        found = json.loads(read_file(path, most_bytes=_MOST_BYTES))
    except (RecursionError, ValueError) as error:
        raise DataError(f"{path}: expected JSON ({error}); restore it from a backup") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: expected a JSON object; restore it from a backup")
    return found
