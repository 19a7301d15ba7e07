"""Which texts are URLs, which of them are opened, and how none of them gives a secret away."""

import os
import re

from pgan_toolkit.errors import UsageError

__all__ = ["check_url", "is_url", "redacted"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_QUERY = re.compile(r"(?P<url>[A-Za-z][A-Za-z0-9+.-]+://[^\s?'\"<>]*)\?[^\s'\"<>]*")
_USER = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+://)[^\s/@]*@")
_SECRETS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_STORAGE_SAS_TOKEN",
    "FSSPEC_S3_KEY",
    "FSSPEC_S3_SECRET",
    "FSSPEC_S3_TOKEN",
    "GOOGLE_TOKEN",
    "HF_TOKEN",
)
_SHORTEST_SECRET = 6
_FROM_ENVIRONMENT = "credentials come from the environment or a profile: see docs/remote.md"


def is_url(text: str) -> bool:
    """Whether a text is a URL, or the path that pathlib makes of one: it loses a slash."""
    return _URL.match(text) is not None


def check_url(text: str) -> str:
    """Return a URL in the form that is opened: its scheme in lower case, no slash at the end.

    Raises
    ------
    UsageError
        It holds a user, a query or a fragment, all of which may be secrets and would end in logs
        and reports, or several URLs. The message does not repeat them.
    """
    scheme, _, rest = text.partition(":")
    rest = rest.lstrip("/")
    shown = f"{scheme}://{rest.rpartition('@')[2].partition('?')[0].partition('#')[0]}"
    if "@" in rest.partition("/")[0]:
        raise UsageError(f"{shown}: the URL holds a user or a password; {_FROM_ENVIRONMENT}")
    if "?" in rest or "#" in rest:
        raise UsageError(
            f"{shown}: the URL has a query or a fragment, which may be a signature; name the "
            f"object alone; {_FROM_ENVIRONMENT}"
        )
    if "::" in text:
        raise UsageError(f"{shown}: several URLs in one; name the archive, it is opened as such")
    if not rest.strip("/"):
        raise UsageError(f"{shown}: names no bucket or host; expected {scheme}://BUCKET/NAME")
    return f"{scheme.lower()}://{rest.rstrip('/')}"


def redacted(text: str) -> str:
    """Return a message without users, queries of URLs, and credentials of the environment."""
    text = _USER.sub(r"\g<scheme>", _QUERY.sub(r"\g<url>", text))
    for name in _SECRETS:
        secret = os.environ.get(name, "")
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, f"${name}")
    return text
