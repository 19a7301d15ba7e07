"""Where data lie: on this machine, or in a remote storage."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from pgan_toolkit.homes import expanded
from pgan_toolkit.storage.remote.paths import RemotePath
from pgan_toolkit.storage.remote.urls import is_url

__all__ = ["Place", "locate"]

Place = Path | RemotePath
"""A path on this machine, or a URL."""


def locate(text: Place | str) -> Place:
    """Return the place that a text names.

    Parameters
    ----------
    text : Path | RemotePath | str
        A path, with ~ for the home folder, or a URL such as ``s3://bucket/faces.zip``. Of
        ``file:///PATH`` the path.

    Raises
    ------
    UsageError
        The URL holds what may be a secret, or names nothing: see `check_url`; or the home folder is
        not known.
    """
    if isinstance(text, RemotePath):
        return text
    if not is_url(str(text)):
        return expanded(text)
    url = str(text)
    if isinstance(text, Path):
        url = url.replace(":/", "://", 1)  # a Path has lost a slash
    if url.lower().startswith("file:"):
        return Path(unquote(urlsplit(url).path))
    return RemotePath(url)
