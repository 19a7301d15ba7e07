"""Which pictures a run learns from."""

import hashlib

from pgan_toolkit.storage import StoredSource

__all__ = ["pictures_digest"]


def pictures_digest(source: StoredSource) -> str:
    """SHA-256 of the keys, the sizes in pixels and the stored bytes' counts of all pictures.

    It tells a data set from another without reading the pictures: from their headers alone.

    Parameters
    ----------
    source : StoredSource
        The pictures, in the order of their indices.

    Raises
    ------
    DataError
        A picture cannot be read. The message names the file.
    """
    digest = hashlib.sha256()
    for index, key in enumerate(source.keys()):
        size = source.info(index)
        line = f"{key} {size.width}x{size.height} {size.stored_bytes}"
        digest.update((f"\n{line}" if index else line).encode())
    return digest.hexdigest()
