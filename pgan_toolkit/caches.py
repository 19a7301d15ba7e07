"""Where the toolkit keeps what it can get or compute again."""

import os
from pathlib import Path
from typing import Literal

from pgan_toolkit.homes import expanded

__all__ = ["CACHE_VARIABLE", "cache_folder"]

CACHE_VARIABLE = "PGAN_TOOLKIT_CACHE"
"""Environment variable that names the folder of all caches."""


def cache_folder(
    kind: Literal["reals", "remote", "staging", "statistics", "weights"],
) -> Path:
    """Where one kind of cached files lies: a folder of that name, which need not exist yet.

    It is in $PGAN_TOOLKIT_CACHE; where that is not set in $XDG_CACHE_HOME/pgan-toolkit, or else in
    ~/.cache/pgan-toolkit.

    Parameters
    ----------
    kind : {"reals", "remote", "staging", "statistics", "weights"}
        Pictures prepared for training, copies of remote archives, what is made before it is sent to
        a remote storage, what metrics computed of real sets, or downloaded weights.
    """
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return expanded(named) / kind
    standard = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The standard says that a relative path there is to be ignored.
    root = standard if standard.is_absolute() else expanded("~/.cache")
    return root / "pgan-toolkit" / kind
