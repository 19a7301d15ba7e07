"""`pgan-toolkit doctor`."""

import json
import textwrap
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

import click
from pgan_cli.terminal import echo

from pgan_toolkit.environment import (
    Fact,
    decoder_facts,
    device_facts,
    extra_facts,
    folder_facts,
    package_facts,
)
from pgan_toolkit.errors import DataError, SetupError

__all__ = ["doctor"]

_EXAMPLES = """\b
Examples:
  pgan-toolkit doctor
  pgan-toolkit doctor --json | python -m json.tool
"""
_WIDTH = 100
_INDENT = " " * 35


@click.command(epilog=_EXAMPLES)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.option(
    "--predictor",
    type=click.Path(path_type=Path),
    help="The landmark predictor to look at, as build-celebahq would be given it.",
)
def doctor(*, as_json: bool, predictor: Path | None) -> int:
    """Say what this machine has for the toolkit, what is missing, and how to get it.

    Exits with 0 if the essentials work and with 4 if one of them is missing or broken.
    """
    facts = [
        *package_facts(),
        *decoder_facts(),
        *device_facts(),
        _predictor_fact(predictor),
        _weights_fact(),
        *extra_facts(),
        *folder_facts(Path()),
    ]
    failing = [fact for fact in facts if fact.essential and fact.state != "ok"]
    if as_json:
        echo(json.dumps({"ok": not failing, "facts": [asdict(fact) for fact in facts]}))
    else:
        _print_table(facts)
        _print_verdict(failing)
    return SetupError.exit_code if failing else 0


def _predictor_fact(predictor: Path | None) -> Fact:
    group, name = "detection", "landmark predictor"
    try:
        from pgan_toolkit.celebahq.detection import find_predictor

        return Fact(group, name, "ok", str(find_predictor(predictor)))
    except (SetupError, DataError) as error:
        return Fact(group, name, "missing", "needed for --landmarks detect", str(error))
    except ImportError as error:
        return Fact(group, name, "broken", f"cannot be looked for: {error}")


def _weights_fact() -> Fact:
    group, name = "restoration", "bundled weights"
    try:
        from pgan_toolkit.restoration.weights import BUNDLED, bundled_weights

        sizes = [f"{kind} {bundled_weights(kind).stat().st_size / 1e6:.1f} MB" for kind in BUNDLED]
        return Fact(group, name, "ok", ", ".join(sizes))
    except SetupError as error:
        return Fact(group, name, "missing", "needed by the default restorer", str(error))
    except ImportError as error:
        return Fact(group, name, "broken", f"cannot be looked for: {error}")


def _print_table(facts: list[Fact]) -> None:
    for group, members in groupby(facts, key=lambda fact: fact.group):
        echo(group)
        for fact in members:
            _print_fact(fact)


def _print_fact(fact: Fact) -> None:
    head = f"  {fact.name:<23} {fact.state:<8}"
    lines = [*_wrapped(fact.detail), *(f"-> {line}" for line in [fact.remedy] if line)]
    echo(f"{head}{lines[0] if lines else ''}".rstrip())
    for line in lines[1:]:
        echo(_INDENT + line)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH - len(_INDENT), break_long_words=False, break_on_hyphens=False
    )


def _print_verdict(failing: list[Fact]) -> None:
    if failing:
        names = ", ".join(fact.name for fact in failing)
        echo(f"\nEssentials that are missing or broken: {names}.")
    else:
        echo("\nThe essentials work.")
