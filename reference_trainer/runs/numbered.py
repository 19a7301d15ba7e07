"""Files of a run that are named by the kimg they are of, and those that it leaves behind."""

import re
from pathlib import Path

from reference_trainer.runs.directory import RunFolder

__all__ = ["found_checkpoints", "images_of", "leave_behind"]

_NAME = re.compile(r"kimg-([0-9]{6,})\.([0-9]{3})\.(safetensors|png)")


def found_checkpoints(folder: RunFolder) -> list[Path]:
    """Return all checkpoints of a run, whole or not, oldest first."""
    return _found(folder.checkpoints_folder, "safetensors")


def images_of(path: Path) -> int:
    """Return the reals shown until then, from a file's name; -1 of another file."""
    match = _NAME.fullmatch(path.name)
    return int(match[1] + match[2]) if match else -1


def leave_behind(folder: RunFolder, *, shown: int) -> None:
    """Move checkpoints and grids of fakes aside that are later than so many reals.

    The latest go first: a kill meanwhile leaves a run that is whole up to somewhere.
    """
    for place, aside, kind in (
        (folder.checkpoints_folder, folder.left_behind, "safetensors"),
        (folder.fakes_folder, folder.fakes_left_behind, "png"),
    ):
        for path in reversed(_found(place, kind)):
            if images_of(path) > shown:
                aside.mkdir(exist_ok=True)
                path.replace(aside / path.name)


def _found(place: Path, kind: str) -> list[Path]:
    entries = place.iterdir() if place.is_dir() else ()
    matches = ((path, _NAME.fullmatch(path.name)) for path in entries)
    return sorted((path for path, match in matches if match and match[3] == kind), key=images_of)
