"""The folder of a run, and whether a run may be begun or resumed there."""

from dataclasses import dataclass
from pathlib import Path

from pgan_toolkit.errors import UsageError
from pgan_toolkit.restoration.training.settings import TrainingSettings

__all__ = ["RestorerFolder", "check_folder"]


@dataclass(frozen=True)
class RestorerFolder:
    """Where a run keeps what it makes.

    Attributes
    ----------
    path : Path
        The folder.
    """

    path: Path

    @property
    def weights(self) -> Path:
        """What the run gives, as `load_network` reads it."""
        return self.path / "weights.safetensors"

    @property
    def jpeg_weights(self) -> Path:
        """Of the JPEG net that learned jointly with an enlarging one."""
        return self.path / "jpeg.safetensors"

    @property
    def checkpoint(self) -> Path:
        """All that is needed to go on."""
        return self.path / "checkpoint.safetensors"

    @property
    def settings(self) -> Path:
        """Settings and data of the run."""
        return self.path / "settings.json"

    @property
    def log(self) -> Path:
        """One JSON object a line."""
        return self.path / "log.jsonl"

    @property
    def lock(self) -> Path:
        """Held by the run that is at work."""
        return self.path / "lock"

    def sample(self, step: int) -> Path:
        """Given, restored and clean crops after so many steps."""
        return self.path / "samples" / f"step-{step:07d}.png"


def check_folder(folder: RestorerFolder, settings: TrainingSettings, *, resume: bool) -> None:
    """See that a run may be begun or resumed in a folder, and overwrites no file that it needs.

    Raises
    ------
    UsageError
        The folder is a file; it holds a run and `resume` is not set, or the reverse; it holds
        weights, which a new run would overwrite; or the run would read its own results.
    """
    if folder.path.exists() and not folder.path.is_dir():
        raise UsageError(f"{folder.path}: is a file; name a folder, or what shall become one")
    results = [folder.weights, *([folder.jpeg_weights] if settings.joint is not None else [])]
    for name in ("init", "behind"):
        _refuse_result(name, getattr(settings, name), results)
    there = folder.checkpoint.is_file()
    if resume and not there:
        raise UsageError(f"{folder.path}: there is no run to resume; leave --resume out")
    if there and not resume:
        raise UsageError(f"{folder.path}: holds a run; add --resume, or name another folder")
    for path in results:
        if path.exists() and not resume:
            raise UsageError(
                f"{path}: the run would overwrite it; move it away, or name another folder"
            )


def _refuse_result(name: str, given: Path | None, results: list[Path]) -> None:
    """Refuse to read what the run writes: resumed, it would begin from something else."""
    for path in results:
        if given is not None and given.exists() and path.exists() and given.samefile(path):
            raise UsageError(
                f"--{name} {given}: the run would overwrite it with its result; copy it to where "
                "no run writes, or name another folder by --out"
            )
