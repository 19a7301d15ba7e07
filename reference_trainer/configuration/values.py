"""Values of settings: from TOML's types to the dataclasses', and back to TOML's syntax."""

import json
import typing
from collections.abc import Callable, Mapping
from datetime import date, time

__all__ = ["checked_value", "expectation", "toml_value"]


def checked_value(value: object, kind: object) -> object:
    """Return a value that TOML gave as the type that a setting has.

    Parameters
    ----------
    value : object
        As tomllib gives it.
    kind : object
        The setting's annotation.

    Raises
    ------
    TypeError
        It is of another type, or none of the choices; `expectation` says what was expected.
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return _required(value, isinstance(value, str) and value in inner)
    if origin is Mapping:
        return _checked_table(value, inner[1])
    if origin is tuple:
        return _checked_list(value, inner[0])
    if kind is float:
        _required(value, isinstance(value, int | float) and not isinstance(value, bool))
        return _finite(typing.cast(float, value))
    # bool is a subclass of int
    return _required(value, type(value) is kind)


def _required(value: object, condition: bool) -> object:
    if not condition:
        raise TypeError
    return value


def _finite(value: float) -> float:
    try:
        return float(value)
    except OverflowError as error:  # a whole number beyond all floats
        raise TypeError from error


def _checked_table(value: object, kind: object) -> dict[int, object]:
    if not isinstance(value, dict) or not all(key.isdecimal() for key in value):
        raise TypeError
    return {int(key): checked_value(item, kind) for key, item in sorted(value.items(), key=_number)}


def _number(item: tuple[str, object]) -> int:
    return int(item[0])


def _checked_list(value: object, kind: object) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(checked_value(item, kind) for item in value)


def expectation(kind: object) -> str:
    """Say in words what values a setting takes.

    Parameters
    ----------
    kind : object
        The setting's annotation.
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return " or ".join(map(str, inner))
    if origin is Mapping:
        return f"a table of resolutions, {{256 = ...}}, each with {expectation(inner[1])}"
    if origin is tuple:
        return f'a list, ["..."], of {expectation(inner[0])}'
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[
        typing.cast(type, kind)
    ]


def toml_value(value: object) -> str:
    """Write a value as TOML does.

    Parameters
    ----------
    value : object
        A setting's value, or one that tomllib gave.
    """
    for kinds, write in _WRITERS:
        if isinstance(value, kinds):
            return write(value)
    raise TypeError(f"TOML has no {type(value).__name__}")


def _text(value: typing.Any) -> str:
    # JSON's escapes are TOML's, but that TOML asks for one more
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(value: typing.Any) -> str:
    return f"[{', '.join(map(toml_value, value))}]"


def _table(value: typing.Any) -> str:
    return "{" + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + "}"


_WRITERS: tuple[tuple[type | tuple[type, ...], Callable[[typing.Any], str]], ...] = (
    (bool, lambda value: str(value).lower()),
    ((int, float), repr),
    (str, _text),
    ((list, tuple), _list),
    (Mapping, _table),
    ((date, time), str),
)
