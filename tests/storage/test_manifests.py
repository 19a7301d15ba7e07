import json
from pathlib import Path
from typing import Any

import pytest

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.storage.manifests import load_manifest


def content(**changes: Any) -> dict[str, Any]:
    named = {"name": "somewhere", "url": "https://example.org"}
    good = {
        "format": "pgan-toolkit manifest",
        "version": 1,
        "name": "mine",
        "kind": "download",
        "title": "My pictures",
        "source": named,
        "licence": named,
        "counts": {"pictures": 2},
        "files": [{"path": "a/b.zip", "bytes": 3, "md5": "0" * 32}],
    }
    return {name: value for name, value in (good | changes).items() if value is not ...}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "mine.json"
    path.write_text(json.dumps(content(**changes)))
    return path


def test_a_users_own_manifest_loads(tmp_path: Path) -> None:
    manifest = load_manifest(written(tmp_path))
    assert manifest.counts == {"pictures": 2}
    assert manifest.files[0].path == "a/b.zip"
    assert manifest.files[0].md5 == "0" * 32
    assert manifest.files[0].sha256 is None
    assert manifest.source.url == "https://example.org"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "'format' is 'other'; expected 'pgan-toolkit manifest'"),
        ({"version": 2}, "'version' is 2; expected 1"),
        ({"title": ...}, "'title' is missing; expected text"),
        ({"kind": "stream"}, "expected 'download' or 'list'"),
        ({"source": "here"}, "'source' is 'here'; expected an object"),
        ({"counts": {"pictures": -1}}, "counts: 'pictures' is -1"),
        ({"counts": {"pictures": True}}, "counts: 'pictures' is True"),
        ({"files": []}, "'files' is .*; expected a list"),
        ({"files": ["a"]}, r"files\[0\]: 'a'; expected an object"),
        ({"files": [{"path": "../a", "bytes": 1, "md5": "0" * 32}]}, "expected a relative path"),
        ({"files": [{"path": "/a", "bytes": 1, "md5": "0" * 32}]}, "expected a relative path"),
        ({"files": [{"path": "a", "bytes": 1}]}, "expected an MD5 or a SHA-256"),
        ({"files": [{"path": "a", "bytes": 1, "md5": "F" * 32}]}, "32 lower-case hexadecimal"),
        ({"files": [{"path": "a", "bytes": "1", "md5": "0" * 32}]}, "'bytes' is '1'"),
    ],
)
def test_bad_manifests_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = written(tmp_path, **changes)
    with pytest.raises(DataError, match=message) as caught:
        load_manifest(path)
    assert str(path) in str(caught.value)


def test_what_is_not_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"{")
    with pytest.raises(DataError, match="not JSON"):
        load_manifest(tmp_path / "x.json")


@pytest.mark.parametrize("name", ["celebb", "missing.json", "manifest.schema"])
def test_unknown_names_are_refused_with_the_known(name: str) -> None:
    with pytest.raises(UsageError, match="celeba, celeba_hq"):
        load_manifest(name)
