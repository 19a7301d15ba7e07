"""Fixtures of whole evaluations."""

from pathlib import Path

import pytest
from evaluated_sets import COUNT, pictures, small_extractor, write_set


@pytest.fixture
def sets(tmp_path: Path) -> tuple[Path, Path]:
    """A real and a fake set, of which the fake one has more pictures."""
    return (
        write_set(tmp_path / "real", pictures(0)),
        write_set(tmp_path / "fake", pictures(5, COUNT + 6)),
    )


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a small network in Inception's place; it goes to workers as it is."""
    place = "pgan_toolkit.evaluation.comparing.selecting"
    monkeypatch.setattr(f"{place}.open_extractor", lambda *_, **__: small_extractor())
