"""Processes that a test starts, and that end with it however it ends."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest


class Children:
    """Starts processes; those that a test leaves at work, as one that fails does, are killed."""

    def __init__(self, ends: ExitStack) -> None:
        self._ends = ends

    def start(self, *words: Any, **how: Any) -> subprocess.Popen[Any]:
        """Start one as `subprocess.Popen` does."""
        return self._ends.enter_context(_ending(subprocess.Popen(*words, **how)))


@contextmanager
def _ending(process: subprocess.Popen[Any]) -> Iterator[subprocess.Popen[Any]]:
    with process:  # which closes its pipes and waits
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def children() -> Iterator[Children]:
    with ExitStack() as ends:
        yield Children(ends)


@pytest.fixture(scope="module")
def module_children() -> Iterator[Children]:
    with ExitStack() as ends:
        yield Children(ends)
