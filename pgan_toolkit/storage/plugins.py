"""Sources of other packages: a training run, say, whose pictures a generator makes when asked.

A package announces an opener by an entry point of the group `pgan_toolkit.sources`: a callable
that takes a folder and returns a `StoredSource`, or None where the folder is none of its own.

Looking entry points up takes milliseconds and loading one may load a whole framework. So openers
are asked only about a folder that holds a file `run.json`, or no picture at all.
"""

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from pgan_toolkit.errors import PganError, SetupError
from pgan_toolkit.storage.base import StoredSource

__all__ = ["GROUP", "RUN_FILE", "claims_to_be_a_run", "open_by_plugin"]

GROUP = "pgan_toolkit.sources"
"""The group of entry points."""
RUN_FILE = "run.json"
"""A folder that holds this file is offered to the openers before its pictures are looked at."""


def claims_to_be_a_run(folder: Path) -> bool:
    """Whether the openers are to be asked before the folder is taken for one of pictures."""
    return (folder / RUN_FILE).is_file()


def open_by_plugin(folder: Path) -> StoredSource | None:
    """Ask the openers of all installed packages, by name, and return the first source.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    StoredSource | None
        None where no opener takes the folder for its own.

    Raises
    ------
    SetupError
        An opener cannot be loaded, fails, or returns something else. It and its package are named.
    PganError
        As an opener raises it: the folder is its own, and damaged, say.
    """
    for entry in sorted(_entries(), key=lambda entry: entry.name):
        source = _ask(entry, folder)
        if source is not None:
            return source
    return None


def _entries() -> Iterator[metadata.EntryPoint]:
    yield from metadata.entry_points(group=GROUP)


def _ask(entry: metadata.EntryPoint, folder: Path) -> StoredSource | None:
    try:
        source: Any = entry.load()(folder)
    except PganError:
        raise
    except Exception as error:
        # Other people's code: whatever it raises is its failure, and to be told as such.
        raise _broken(entry, folder, f"{type(error).__name__}: {error}") from error
    if source is None or isinstance(source, StoredSource):
        return source
    raise _broken(entry, folder, f"it returned {type(source).__name__}, not a StoredSource or None")


def _broken(entry: metadata.EntryPoint, folder: Path, reason: str) -> SetupError:
    package = entry.dist.name if entry.dist is not None else "an unknown package"
    return SetupError(
        f"{folder}: the source plugin {entry.name!r} ({entry.value}) of {package} failed: "
        f"{reason}; repair or uninstall {package}"
    )
