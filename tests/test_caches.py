"""Where caches lie: one variable moves all of them."""

from pathlib import Path

import pytest

from pgan_toolkit.caches import CACHE_VARIABLE, cache_folder


@pytest.fixture(autouse=True)
def none_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)


def test_the_variable_moves_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/standard")
    monkeypatch.setenv(CACHE_VARIABLE, "/mine")
    assert cache_folder("weights") == Path("/mine/weights")
    assert cache_folder("statistics") == Path("/mine/statistics")
    monkeypatch.setenv(CACHE_VARIABLE, "~/mine")
    assert cache_folder("weights") == Path.home() / "mine" / "weights"


def test_without_it_they_are_where_the_standard_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/standard")
    assert cache_folder("weights") == Path("/standard/pgan-toolkit/weights")
    for value in ("", "relative/folder"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_folder("statistics") == Path.home() / ".cache" / "pgan-toolkit" / "statistics"
