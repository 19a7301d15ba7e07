"""Numbers of things in words."""

import pytest

from pgan_toolkit.wording import counted


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 images"), (1, "1 image"), (2, "2 images"), (50_000, "50,000 images")],
)
def test_one_is_singular(count: int, said: str) -> None:
    assert counted(count, "image") == said
