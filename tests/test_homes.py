from pathlib import Path

import pytest

from pgan_toolkit.caches import CACHE_VARIABLE, cache_folder
from pgan_toolkit.errors import UsageError
from pgan_toolkit.homes import expanded
from pgan_toolkit.storage import locate


def test_the_home_folder_is_put_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/a/b.png") == tmp_path / "a" / "b.png"
    assert expanded(Path("~")) == tmp_path
    assert expanded("a~/b") == Path("a~/b")


def test_a_home_that_nobody_knows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="~no-such-user/real: the home folder is not known"):
        locate("~no-such-user/real")

    def unknown(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(UsageError, match="or set HOME"):
        cache_folder("weights")
