"""What a folder may hold that `overwrite` replaces."""

from pathlib import PurePosixPath

from pgan_toolkit.errors import UsageError
from pgan_toolkit.storage.folder import list_files
from pgan_toolkit.storage.keys import LABELS_FILE, PICTURE_EXTENSIONS
from pgan_toolkit.storage.places import Place

__all__ = ["refuse_to_replace_other_files"]

_OF_DATA_SETS = PICTURE_EXTENSIONS | {".tar", ".mdb", ".tfrecords", ".labels"}


def refuse_to_replace_other_files(path: Place) -> None:
    """Refuse to replace a folder that holds more than a data set of some format.

    Does nothing where there is no folder of this name.

    Raises
    ------
    UsageError
        It names a file that is no data set's.
    """
    if not path.is_dir():
        return
    for name in list_files(path):
        file = PurePosixPath(name)
        known = name == LABELS_FILE or file.suffix.lower() in _OF_DATA_SETS
        if not known and not file.name.startswith("."):
            raise UsageError(
                f"{path}: holds files that are no data set's, such as {name!r}; it is not "
                "overwritten: remove it yourself, or choose another name"
            )
