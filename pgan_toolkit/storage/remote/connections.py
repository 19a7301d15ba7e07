"""The connections of this process to storages, by fsspec; one a storage, for all threads."""

import os
import threading
from typing import Any

from pgan_toolkit.errors import SetupError, UsageError
from pgan_toolkit.storage.remote import retrying

__all__ = ["filesystem"]

_EXTRAS = {
    "gcs": "gs",
    "gs": "gs",
    "hf": "hf",
    "http": "http",
    "https": "http",
    "s3": "s3",
    "s3a": "s3",
}
"""Scheme -> the extra that brings its package."""
_POOL = 32
_PARTS_AT_ONCE = 4
_lock = threading.Lock()
_open: dict[tuple[int, str, bool], Any] = {}


def filesystem(scheme: str, *, uploading: bool = False) -> Any:
    """Return the connection to a storage, opened in this process on first use.

    Nothing is cached in it: listings are those of the moment.

    Parameters
    ----------
    scheme : str
        Of the URL.
    uploading : bool
        Whether the connection itself repeats failed requests: the parts of an upload cannot be
        repeated from outside.

    Raises
    ------
    SetupError
        The package for the storage is missing, or does not start.
    UsageError
        No such scheme is known.
    """
    key = (os.getpid(), scheme, uploading)  # after a fork nothing of the parent's is used
    with _lock:
        if key not in _open:
            _open[key] = _connect(scheme, uploading=uploading)
        return _open[key]


def _connect(scheme: str, *, uploading: bool) -> Any:
    import fsspec

    try:
        kind = fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        extra = _EXTRAS.get(scheme)
        how = f"pip install 'pgan-toolkit[{extra}]'" if extra else f"install its package ({error})"
        raise SetupError(f"{scheme}:// needs a package that is missing: {how}") from error
    except ValueError as error:
        raise UsageError(
            f"{scheme}://: not a storage that is known; expected s3://, gs://, hf:// or https://, "
            "or another that fsspec opens"
        ) from error
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if _EXTRAS.get(scheme) == "s3":
        # Of a reader 1: with more, each object is asked for its size before it is read.
        options["max_concurrency"] = _PARTS_AT_ONCE if uploading else 1
        options["config_kwargs"] = _s3_settings(fsspec.config.conf.get(scheme, {}), uploading)
    try:
        found = kind(**options)
    except Exception as error:
        raise SetupError(
            f"{scheme}://: no connection ({type(error).__name__}); see docs/remote.md for what "
            "the environment must hold"
        ) from error
    if _EXTRAS.get(scheme) == "s3":
        found.retries = 1  # ours, with jitter, come around it; those of uploads are botocore's
    return found


def _s3_settings(configured: dict[str, Any], uploading: bool) -> dict[str, Any]:
    policy = retrying.POLICY
    return {
        **configured.get("config_kwargs", {}),
        "connect_timeout": policy.connect_timeout_s,
        "read_timeout": policy.read_timeout_s,
        "max_pool_connections": _POOL,
        # "standard" waits exponentially, with jitter, after throttling, timeouts and breaks
        "retries": {
            "mode": "standard",
            "total_max_attempts": policy.attempts if uploading else 1,
        },
    }
