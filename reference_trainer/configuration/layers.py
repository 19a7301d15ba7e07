"""Layers of settings: what one file or one command line says, checked, to be put upon another."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pgan_toolkit.errors import UsageError
from reference_trainer.configuration.catalogue import (
    SECTIONS,
    TOP,
    Setting,
    did_you_mean,
    kinds,
    sections_of,
)
from reference_trainer.configuration.settings import RunSettings
from reference_trainer.configuration.values import checked_value, expectation, toml_value

__all__ = ["Layer", "build_settings", "checked_setting", "layer_of_table"]

Layer = dict[Setting, object]
"""Values that were given, of the types that the settings have."""


def layer_of_table(
    table: Mapping[str, object], *, where: str | Path, also: tuple[str, ...] = ()
) -> Layer:
    """Return what a file says of a run.

    Parameters
    ----------
    table : mapping of str to object
        The file, as tomllib gives it, without what is no setting.
    where : str or Path
        The file, for errors.
    also : tuple of str
        What else such a file may have: it is suggested in the place of an unknown name.

    Raises
    ------
    UsageError
        A section or a setting is unknown, or a value of another type than the setting.
    """
    layer: Layer = {}
    for name, value in table.items():
        if name not in SECTIONS:
            _require_known(TOP, name, where, [*SECTIONS, *also])
            layer[TOP, name] = checked_setting(TOP, name, value, where=where)
        elif isinstance(value, dict):
            for inner, item in value.items():
                _require_known(name, inner, where)
                layer[name, inner] = checked_setting(name, inner, item, where=where)
        else:
            raise UsageError(f"{where}: {name} = {toml_value(value)}: expected a section, [{name}]")
    return layer


def checked_setting(section: str, name: str, value: object, *, where: str | Path) -> object:
    """Return a value as its setting holds it.

    Parameters
    ----------
    section, name : str
        Of a setting that there is.
    value : object
        As tomllib gives it.
    where : str or Path
        The file, or the option, for errors.

    Raises
    ------
    UsageError
        The value is of another type, or none of the choices.
    """
    kind = kinds()[section, name]
    try:
        return checked_value(value, kind)
    except TypeError:
        got = f"{where}: {name} = {toml_value(value)}"
        raise UsageError(f"{got}: expected {expectation(kind)}") from None


def _require_known(section: str, name: str, where: str | Path, also: Sequence[str] = ()) -> None:
    if (section, name) in kinds():
        return
    place = f"in [{section}]" if section else "above all sections"
    for other in sections_of(name):
        right = f"in [{other}]" if other else "above all sections"
        raise UsageError(f"{where}: {name} stands {place}; expected it {right}")
    here = [*(known for other, known in kinds() if other == section), *also]
    anywhere = [known for _, known in kinds()]
    hint = did_you_mean(name, here) or did_you_mean(name, anywhere)
    what = f"setting {place}" if section else "setting or section"
    raise UsageError(f"{where}: no {what} is called {name}{hint}")


def build_settings(layer: Layer, *, where: str | Path) -> RunSettings:
    """Return the settings of a run; what is not given has its default.

    Parameters
    ----------
    layer : Layer
        All that was given.
    where : str or Path
        What gave it, for errors.

    Raises
    ------
    UsageError
        A setting without a default is missing, or values are out of range or do not fit each
        other.
    """
    for section, name in ((TOP, "preset"), ("data", "resolution"), ("schedule", "total_kimg")):
        if (section, name) not in layer:
            place = f"[{section}] {name}" if section else name
            raise UsageError(f"{where}: {place} is missing; write it, or begin with a preset")
    given: dict[str, Any] = {name: {} for name in SECTIONS}
    for (section, name), value in layer.items():
        (given[section] if section else given)[name] = value
    try:
        return RunSettings(
            **{name: given[name] for name in given if name not in SECTIONS},
            **{name: holder(**given[name]) for name, holder in SECTIONS.items()},
        )
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
