"""Changes to single settings, "total_kimg=2000", as `--set` gives them."""

import tomllib
from collections.abc import Sequence
from dataclasses import asdict

from pgan_toolkit.errors import UsageError
from reference_trainer.configuration.catalogue import (
    SECTIONS,
    TOP,
    Setting,
    did_you_mean,
    kinds,
    sections_of,
)
from reference_trainer.configuration.layers import Layer, build_settings, checked_setting
from reference_trainer.configuration.settings import RunSettings

__all__ = ["apply_change", "change_settings"]


def apply_change(layer: Layer, change: str) -> Layer:
    """Return a layer with one setting changed.

    Parameters
    ----------
    layer : Layer
        What is changed; it stays as it is.
    change : str
        "name=value" or "section.name=value", the value in TOML's syntax; a text needs no quotes.
        One resolution of a table is "minibatch_sizes.512=6", where the others stay.

    Raises
    ------
    UsageError
        It is no such text, or the setting is unknown, or the value of another type.
    """
    where = f"--set {change}"
    path, equals, text = change.partition("=")
    if not equals:
        raise UsageError(f"{where}: expected name=value, such as total_kimg=2000")
    (section, name), inner = _find(path.strip().split("."), where)
    if (section, name) == (TOP, "preset"):
        raise UsageError(f"{where}: the preset is chosen by --preset")
    value = _toml(text.strip())
    if not inner:
        return {**layer, (section, name): checked_setting(section, name, value, where=where)}
    entry = checked_setting(section, name, {inner: value}, where=where)
    old = layer.get((section, name), {})
    if not isinstance(entry, dict) or not isinstance(old, dict):
        raise UsageError(f"{where}: {name} has no entries; expected {name}=value")
    return {**layer, (section, name): dict(sorted({**old, **entry}.items()))}


def change_settings(settings: RunSettings, changes: Sequence[str]) -> RunSettings:
    """Return settings with some of them changed, in this order.

    Parameters
    ----------
    settings : RunSettings
        They stay as they are.
    changes : sequence of str
        As `apply_change` takes them.

    Raises
    ------
    UsageError
        As `apply_change`, or values do not fit each other.
    """
    layer: Layer = {}
    for name, value in asdict(settings).items():
        inner = value if name in SECTIONS else {name: value}
        section = name if name in SECTIONS else TOP
        layer.update({(section, key): item for key, item in inner.items()})
    for change in changes:
        layer = apply_change(layer, change)
    return build_settings(layer, where=" ".join(f"--set {change}" for change in changes))


def _find(path: list[str], where: str) -> tuple[Setting, str]:
    """The setting, and the key in its table or nothing."""
    # "loss" and "output" are settings as well as sections
    sections = sections_of(path[0])
    if path[0] in SECTIONS and (len(path) > 1 or not sections):
        sections = [path.pop(0)]
    if not path:
        inside = ", ".join(name for section, name in kinds() if section == sections[0])
        raise UsageError(
            f"{where}: {sections[0]} is a section; expected one of its settings: {inside}"
        )
    name, inner = path[0], ".".join(path[1:])
    for section in sections:
        if (section, name) in kinds():
            return (section, name), inner
    here = [known for section, known in kinds() if section in sections]
    anywhere = [*(known for _, known in kinds()), *SECTIONS]
    hint = did_you_mean(name, here) or did_you_mean(name, anywhere)
    place = f" in {sections[0]}" if sections else ""
    raise UsageError(f"{where}: no setting{place} is called {name}{hint}")


def _toml(text: str) -> object:
    """The value that TOML reads in a text, or the text itself where that is no TOML."""
    try:
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return read["value"] if len(read) == 1 else text
