"""Shared fixtures; shapes and dtypes of every annotated array are checked while tests run."""

from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# An int may stand where a float is asked for, as type checkers hold.
install_import_hook(
    "pgan_toolkit", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real pictures beside the project; without it the test is skipped."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"no real pictures at {SHARED / 'data'}")
    return SHARED / "data"
