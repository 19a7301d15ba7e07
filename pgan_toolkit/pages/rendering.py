"""Templates filled, everything escaped; one file that asks for nothing else.

A page carries its style and its script, and a Content-Security-Policy that lets run these two
alone, by their digests: no other script, even one that slipped in, and no request to anywhere.
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pgan_toolkit import __version__
from pgan_toolkit.errors import SetupError
from pgan_toolkit.storage import atomic_write_bytes

__all__ = ["render_page", "require_jinja", "write_page"]

_TEMPLATES = Path(__file__).parent / "templates"


def require_jinja() -> None:
    """Say that pages cannot be made here, before the work that one would show.

    Raises
    ------
    SetupError
        jinja2 is not installed.
    """
    try:
        import jinja2  # noqa: F401 - whether it is there is the question
    except ImportError as error:
        raise SetupError(
            f"pages need jinja2 ({error}): pip install 'pgan-toolkit[reports]'"
        ) from error


def render_page(template: str, *, folder: Path, content: Mapping[str, Any]) -> bytes:
    """Return a page; names that are no Unicode, as file systems allow, are shown by their codes.

    Parameters
    ----------
    template : str
        A file of `folder`, which extends "base.html".
    folder : Path
        Where it is.
    content : Mapping of str to Any
        What it shows. Every text is escaped.

    Raises
    ------
    SetupError
        jinja2 is not installed.
    """
    require_jinja()
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, _TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = ((_TEMPLATES / name).read_text("utf-8") for name in ("page.css", "page.js"))
    own = {
        # Files of this package, which hold no text of a user's.
        "style": Markup(style),  # noqa: S704
        "script": Markup(script),  # noqa: S704
        "policy": _policy(style=style, script=script),
        "version": __version__,
    }
    page = environment.get_template(template).render({**content, **own})
    return page.encode("utf-8", "backslashreplace")


def write_page(path: Path, page: bytes) -> None:
    """Write a page.

    Raises
    ------
    UsageError
        `path` is a device, a pipe or an open stream.
    SetupError
        It cannot be written.
    """
    try:
        atomic_write_bytes(path, page)
    except OSError as error:
        raise SetupError(
            f"{path}: cannot be written ({error.strerror or error}); choose another place"
        ) from error


def _policy(*, style: str, script: str) -> str:
    return (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
