"""Presets: the runs of the paper and of the authors' program by name, and files of the user's."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pgan_toolkit.errors import UsageError
from reference_trainer.configuration.catalogue import did_you_mean
from reference_trainer.configuration.files import read_toml
from reference_trainer.configuration.layers import Layer, build_settings, layer_of_table
from reference_trainer.configuration.overrides import apply_change
from reference_trainer.configuration.settings import RunSettings
from reference_trainer.configuration.values import toml_value

__all__ = ["load_preset", "preset_names", "preset_summaries"]

_FOLDER = Path(__file__).with_name("presets")
_NO_SETTINGS = ("summary", "extends")


def preset_names() -> tuple[str, ...]:
    """The names of the presets that come with the trainer, kin together."""
    return tuple(_bundled())


def preset_summaries() -> Mapping[str, str]:
    """What each preset is, in a line, by its name."""
    return {name: str(found.table["summary"]) for name, found in _bundled().items()}


def load_preset(name: str, *, changes: Sequence[str] = ()) -> RunSettings:
    """Return the settings of a preset.

    Parameters
    ----------
    name : str
        One of `preset_names`, or a path, with a slash or the ending .toml, of a user's file. That
        has settings in sections, as `settings_toml` writes them, of which those may be left out
        that have a default, or that it gets from a preset: `extends = "table1-g"`, or another
        such file, relative to it. A table that it gives, such as minibatch_sizes, replaces that
        preset's. `summary = "..."` may say what it is.
    changes : sequence of str
        "name=value" or "section.name=value", made in this order.

    Raises
    ------
    UsageError
        There is no such preset, section or setting, a value is of another type or out of range,
        values do not fit each other, or presets extend each other in a circle.
    DataError
        The file cannot be read, or is not TOML.
    """
    layer = _resolve(name)
    for change in changes:
        layer = apply_change(layer, change)
    return build_settings(layer, where=" ".join([name, *(f"--set {item}" for item in changes)]))


@dataclass(frozen=True)
class _Found:
    """What a preset's name led to: a whole file of the user's, or a table of one of ours."""

    name: str
    table: dict[str, object]
    source: Path
    identity: str


def _resolve(name: str, *, above: tuple[_Found, ...] = ()) -> Layer:
    """All that a preset says, upon all that it extends; `above` extend it."""
    found = _find(name, above[-1].source if above else None)
    trail = [item.identity for item in (*above, found)]
    if found.identity in trail[:-1]:
        raise UsageError(f"{found.source}: presets extend each other: {' -> '.join(trail)}")
    own, extends = _own_layer(found)
    if extends is None:
        return own
    return {**_resolve(extends, above=(*above, found)), **own}


def _own_layer(found: _Found) -> tuple[Layer, str | None]:
    """What a preset says itself, and the name of the one that it extends."""
    table = {"preset": found.name, **found.table}
    for key in _NO_SETTINGS:
        if not isinstance(table.get(key, ""), str):
            raise UsageError(f"{found.source}: {key} = {toml_value(table[key])}: expected text")
    table.pop("summary", None)
    extends = table.pop("extends", None)
    layer = layer_of_table(table, where=found.source, also=_NO_SETTINGS)
    return layer, None if extends is None else str(extends)


def _find(name: str, extender: Path | None) -> _Found:
    if "/" in name or name.endswith(".toml"):
        path = extender.parent / name if extender else Path(name)
        return _Found(path.stem, read_toml(path), path, str(path.resolve()))
    bundled = _bundled()
    if name not in bundled:
        hint = did_you_mean(name, bundled) or "; expected one of --list-presets"
        where = f"{extender}: " if extender else ""
        raise UsageError(
            f"{where}no preset is called {name}{hint}; a file is named by its path, NAME.toml"
        )
    return bundled[name]


@cache
def _bundled() -> Mapping[str, _Found]:
    """Every preset of ours: a table of a file that holds a family."""
    found = {
        name: _Found(name, table, path, name)
        for path in sorted(_FOLDER.glob("*.toml"))
        for name, table in tomllib.loads(path.read_text()).items()
        if isinstance(table, dict)
    }
    return MappingProxyType(found)
