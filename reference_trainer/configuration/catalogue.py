"""What settings there are: their sections, types and descriptions, read off the dataclasses."""

import difflib
import inspect
import typing
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from types import MappingProxyType

from reference_trainer.configuration.settings import (
    DataSettings,
    DiscriminatorSettings,
    GeneratorSettings,
    LossSettings,
    OptimizationSettings,
    OutputSettings,
    RunSettings,
    ScheduleSettings,
)

__all__ = ["SECTIONS", "TOP", "Setting", "describe", "did_you_mean", "kinds", "sections_of"]

TOP = ""
"""The section of the settings that stand above all sections: preset, gpus, seed."""

SECTIONS: Mapping[str, type] = MappingProxyType(
    {
        "data": DataSettings,
        "generator": GeneratorSettings,
        "discriminator": DiscriminatorSettings,
        "loss": LossSettings,
        "optimization": OptimizationSettings,
        "schedule": ScheduleSettings,
        "output": OutputSettings,
    }
)
"""Each section's dataclass, in the order of a file."""

Setting = tuple[str, str]
"""A section and the name of a setting in it."""


@cache
def kinds() -> Mapping[Setting, object]:
    """Each setting's annotation: int, a Literal, ..., in the order of a file."""
    found: dict[Setting, object] = {}
    for section, holder in ((TOP, RunSettings), *SECTIONS.items()):
        hints = typing.get_type_hints(holder)
        for field in fields(holder):
            if section != TOP or field.name not in SECTIONS:
                found[section, field.name] = hints[field.name]
    return MappingProxyType(found)


def sections_of(name: str) -> list[str]:
    """The sections that have a setting of that name."""
    return [section for section, known in kinds() if known == name]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?" with the nearest of the known names, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


@cache
def describe(holder: type) -> Mapping[str, tuple[str, ...]]:
    """The lines on each setting in a dataclass's Attributes section (numpydoc).

    Returns
    -------
    mapping of str to tuple of str
        Type and description of a setting, lines as in the docstring. Of settings that are
        described together the first has the lines, and the others none.
    """
    described: dict[str, tuple[str, ...]] = {}
    first = ""
    for line in _attribute_lines(inspect.getdoc(holder) or ""):
        if not line.startswith(" "):
            names, _, kind = line.partition(" : ")
            first, *others = names.split(", ")
            described[first] = (kind,) if kind else ()
            described.update(dict.fromkeys(others, ()))
        else:
            described[first] += (line.strip(),)
    return MappingProxyType(described)


def _attribute_lines(text: str) -> list[str]:
    _, _, after = text.partition("Attributes\n----------\n")
    lines = [line for line in after.splitlines() if line.strip()]
    end = next((at for at, line in enumerate(lines) if set(line) == {"-"}), None)
    return lines if end is None else lines[: end - 1]  # without the next section's title
