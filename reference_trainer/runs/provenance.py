"""With what a run was made: versions, revisions of code, the command."""

import platform
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from pgan_toolkit import __version__

__all__ = ["git_revision", "made_with"]

_PACKAGES = ("numpy", "torch", "safetensors", "pillow", "opencv-python-headless")
_GIT_TIMEOUT_S = 10.0


def made_with(*, device: torch.device, world_size: int) -> dict[str, object]:
    """Return with what, on what and by what command this process runs, as JSON values."""
    cuda = device.type == "cuda"
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(sys.argv),
        "folder": str(Path.cwd()),
        "git_of_program": git_revision(Path(__file__).parent, containing=Path(__file__)),
        "git_of_folder": git_revision(Path.cwd()),
        "device": torch.cuda.get_device_name(device) if cuda else str(device),
        "processes": world_size,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if cuda else None,  # type: ignore[no-untyped-call]
        "versions": {"pgan-toolkit": __version__, **_versions()},
    }


def git_revision(folder: Path, *, containing: Path | None = None) -> str | None:
    """Return the commit of the working tree that a folder lies in.

    Parameters
    ----------
    folder : Path
        The folder.
    containing : Path | None
        A file that the tree must track: a program that is installed below an unrelated tree is not
        of that tree's revision.

    Returns
    -------
    str | None
        The commit in hexadecimal, and " with changes" where tracked files differ from it; None
        without git, outside of a tree, or where git takes too long.
    """
    if (
        containing is not None
        and _git(folder, "ls-files", "--error-unmatch", str(containing)) is None
    ):
        return None
    revision = _git(folder, "rev-parse", "--verify", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    if not revision or changes is None:
        return None
    return f"{revision} with changes" if changes else revision


def _git(folder: Path, *words: str) -> str | None:
    program = shutil.which("git")
    if program is None:
        return None
    # A tree's own settings could have git run another program.
    command = [program, "-C", str(folder), "-c", "core.fsmonitor=false", *words]
    try:
        done = subprocess.run(  # noqa: S603 - git itself, with words of ours
            command, capture_output=True, text=True, check=True, timeout=_GIT_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip()


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found
