"""docs/security.md: every test that it names is there."""

import ast
import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = (TESTS.parent / "docs" / "security.md").read_text()
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)


@cache
def _tests_of(file: str) -> set[str]:
    found = ast.walk(ast.parse((TESTS / file).read_text()))
    return {node.name for node in found if isinstance(node, ast.FunctionDef)}


def test_every_named_test_exists() -> None:
    assert len(NAMED) > 50
    assert [f"{file}::{name}" for file, name in NAMED if name not in _tests_of(file)] == []


def test_every_row_names_a_test() -> None:
    tried = PAGE[PAGE.index("## What was tried") : PAGE.index("## Fuzzing")]
    rows = [line for line in tried.splitlines() if line.startswith("|")]
    rows = [row for row in rows if not row.startswith(("|---", "| Input |", "| Where"))]
    assert [row for row in rows if not re.search(r"\.py::\w+` \|$", row)] == []


def test_every_test_of_hostile_files_is_named_or_of_a_helper() -> None:
    named = {name for file, name in NAMED if file.startswith("security/")}
    tests = {
        name
        for path in (TESTS / "security").glob("test_hostile_*.py")
        for name in _tests_of(f"security/{path.name}")
        if name.startswith("test_")
    }
    helpers = {
        "test_what_steers_a_terminal_is_shown",
        "test_other_names_are_left_as_they_are",
        "test_the_command_line_prints_by_echo_alone",
    }
    assert tests - named == helpers
