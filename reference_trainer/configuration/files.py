"""Files of settings: TOML with every setting and what it means, as a run's folder keeps it."""

import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

from pgan_toolkit.errors import DataError
from reference_trainer.configuration.catalogue import SECTIONS, TOP, describe, kinds
from reference_trainer.configuration.layers import build_settings, layer_of_table
from reference_trainer.configuration.settings import RunSettings
from reference_trainer.configuration.values import toml_value

__all__ = ["read_settings", "read_toml", "settings_toml"]

_WIDTH = 96
_MOST_BYTES = 1 << 20


def read_toml(path: Path) -> dict[str, object]:
    """Read a TOML file.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    DataError
        It cannot be read, or is not TOML.
    """
    from pgan_toolkit.storage import read_file  # loads NumPy, which --list-presets does without

    try:
        return tomllib.loads(read_file(path, most_bytes=_MOST_BYTES).decode("utf-8"))
    except (RecursionError, ValueError) as error:  # no text, no TOML, or endless numbers
        raise DataError(f"{path}: expected a TOML file of settings ({error})") from error


def read_settings(path: Path) -> RunSettings:
    """Read the settings of a run, as `settings_toml` writes them.

    Parameters
    ----------
    path : Path
        The file. It extends nothing; settings that it does not have get their defaults.

    Raises
    ------
    DataError
        It cannot be read, or is not TOML.
    UsageError
        A section or a setting is unknown, a value of another type or out of range, or values do
        not fit each other.
    """
    return build_settings(layer_of_table(read_toml(path), where=path), where=path)


def settings_toml(settings: RunSettings) -> str:
    """Write the settings of a run as TOML, each with what it means as a comment.

    Parameters
    ----------
    settings : RunSettings
        What `read_settings` of the text returns again.
    """
    lines = list(_section_lines(TOP, settings))
    for section, holder in SECTIONS.items():
        title = (holder.__doc__ or "").partition("\n")[0]
        lines += ["", f"[{section}]  # {title}" if title else f"[{section}]"]
        lines += _section_lines(section, getattr(settings, section))
    return "\n".join(lines).lstrip() + "\n"


def _section_lines(section: str, holder: object) -> Iterator[str]:
    descriptions = describe(RunSettings if section == TOP else SECTIONS[section])
    for other, name in kinds():
        if other == section:
            yield from _comment(descriptions.get(name, ()))
            yield f"{name} = {toml_value(getattr(holder, name))}"


def _comment(lines: tuple[str, ...]) -> Iterator[str]:
    if lines:
        kind, *text = lines
        yield ""
        yield from (f"# {line}" for line in textwrap.wrap(f"{kind}: {' '.join(text)}", _WIDTH))
