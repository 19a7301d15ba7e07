"""Requests to a storage that are repeated while the failure may pass, and then told."""

import errno
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pgan_toolkit.errors import DataError, PganError, SetupError
from pgan_toolkit.storage.remote.urls import redacted
from pgan_toolkit.transience import (
    RetriesExhausted,
    causes,
    class_names,
    is_transient,
    status_of,
)
from pgan_toolkit.wording import counted

__all__ = ["POLICY", "RetryPolicy", "retried"]

Value = TypeVar("Value")


@dataclass(frozen=True)
class RetryPolicy:
    """How often a request is repeated, and how long is waited before.

    The n-th wait is drawn evenly from 0 to ``first_wait_s * 2**n``, at most `longest_wait_s`: so
    many workers that were refused at once do not come back at once.

    Attributes
    ----------
    attempts : int
        Requests in all.
    first_wait_s, longest_wait_s : float
        Seconds.
    connect_timeout_s, read_timeout_s : float
        Seconds without an answer after which a request has failed.
    """

    attempts: int = 7
    first_wait_s: float = 0.25
    longest_wait_s: float = 10.0
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 30.0

    def wait_s(self, attempt: int) -> float:
        """Draw the wait after an attempt, counted from 0."""
        most = min(self.longest_wait_s, self.first_wait_s * 2**attempt)
        return random.SystemRandom().uniform(0, most)


POLICY = RetryPolicy()

_NO_CREDENTIALS = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}
    | {"ProfileNotFound", "TokenRetrievalError", "DefaultCredentialsError", "RefreshError"}
    | {"LocalTokenNotFoundError", "GatedRepoError", "PermissionError"}
)
_DENIED = frozenset({401, 403})


def retried(work: Callable[[], Value], *, url: str, policy: RetryPolicy | None = None) -> Value:
    """Do a request, again where its failure may pass.

    Parameters
    ----------
    work : callable
        The request.
    url : str
        What errors name.
    policy : RetryPolicy | None
        None for `POLICY`.

    Raises
    ------
    FileNotFoundError
        There is no such object.
    DataError
        The object was replaced while it was read.
    SetupError
        Access is denied, or the storage cannot be used.
    RetriesExhausted
        A SetupError: the storage cannot be reached, or does not answer, after all attempts.
    """
    policy = policy or POLICY
    start = time.monotonic()
    for attempt in range(policy.attempts):
        try:
            return work()
        except PganError:
            raise
        except Exception as error:  # the storages' packages raise whatever they like
            last = error
            if not is_transient(error):
                raise _told(error, url) from error
        if attempt + 1 < policy.attempts:
            time.sleep(policy.wait_s(attempt))
    tried = f"{counted(policy.attempts, 'attempt')} in {time.monotonic() - start:.0f} s"
    raise RetriesExhausted(
        f"{url}: the storage does not answer as it should ({_reason(last)}), {tried}; see that it "
        "is there and has room for as many requests, and run the same command again"
    ) from last


def _told(error: Exception, url: str) -> Exception:
    names = {name for each in causes(error) for name in class_names(each)}
    if isinstance(error, FileNotFoundError) or status_of(error) == 404:
        return FileNotFoundError(errno.ENOENT, "there is no such object", url)
    if "FileExpired" in names or status_of(error) == 412:
        return DataError(f"{url}: was replaced while it was read; run the same command again")
    if names & _NO_CREDENTIALS or status_of(error) in _DENIED:
        return SetupError(
            f"{url}: access denied, or no credentials ({_reason(error)}); they come from the "
            "environment or a profile, never from arguments: see docs/remote.md"
        )
    return SetupError(f"{url}: the storage cannot be used ({_reason(error)})")


def _reason(error: BaseException) -> str:
    status = status_of(error)
    text = " ".join(redacted(str(error)).split())[:200] or "no more is known"
    return f"{type(error).__name__}: {text}" + (f"; HTTP {status}" if status else "")
