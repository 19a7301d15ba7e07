"""URLs: what is taken for one, what is refused, and that no secret comes out."""

from pathlib import Path

import pytest

from pgan_toolkit.errors import UsageError
from pgan_toolkit.storage import RemotePath, atomic_write_bytes, locate
from pgan_toolkit.storage.remote.urls import redacted


@pytest.mark.parametrize(
    "url",
    [
        "https://me:hunter2@host/set.zip",
        "s3://AKIAKEY:hunter2@bucket/set.zip",
        "https://hunter2@host/set.zip",
        "https://host/set.zip?X-Amz-Signature=hunter2",
        "https://host/set.zip?token=hunter2&a=b",
        "s3://bucket/set.zip#hunter2",
        "gs://bucket?hunter2",
    ],
)
@pytest.mark.parametrize("kind", [str, Path])
def test_a_url_that_may_hold_a_secret_is_refused_without_repeating_it(
    url: str, kind: type[str] | type[Path]
) -> None:
    with pytest.raises(UsageError, match=r"^(https|s3|gs)://(host|bucket)") as refused:
        locate(kind(url))
    assert "hunter2" not in str(refused.value)
    assert "AKIAKEY" not in str(refused.value)


@pytest.mark.parametrize("url", ["zip://a::s3://bucket/b.zip", "s3://", "s3:///"])
def test_other_urls_that_name_no_object_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match=r"several URLs|names no bucket"):
        locate(url)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("s3://bucket/a/set.zip", "s3://bucket/a/set.zip"),
        ("S3://bucket/a/", "s3://bucket/a"),
        ("hf://datasets/me/fake", "hf://datasets/me/fake"),
        (Path("s3://bucket/a"), "s3://bucket/a"),
    ],
)
def test_urls_are_told_from_paths(text: str | Path, place: str) -> None:
    assert locate(text) == RemotePath(place)
    assert str(locate(text)) == place


def test_paths_stay_paths() -> None:
    assert locate("faces/a.zip") == Path("faces/a.zip")
    assert locate("~/faces") == Path.home() / "faces"
    assert locate("file:///data/a%20b.zip") == Path("/data/a b.zip")


def test_messages_lose_users_queries_and_what_the_environment_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2-long")
    text = "403, url='https://u:pw@cdn/x?Signature=abc' with hunter2-long"
    assert redacted(text) == "403, url='https://cdn/x' with $AWS_SECRET_ACCESS_KEY"


def test_what_is_written_to_this_machine_alone_refuses_a_url() -> None:
    with pytest.raises(UsageError, match="is a URL"):
        atomic_write_bytes(Path("s3://bucket/report.json"), b"{}")
    assert not Path("s3:").exists()


def test_the_parts_of_a_name() -> None:
    path = RemotePath("s3://bucket/a/set.tar.gz")
    assert (path.name, path.stem, path.suffix) == ("set.tar.gz", "set.tar", ".gz")
    assert str(path.parent) == "s3://bucket/a"
    assert path.with_name("b") == RemotePath("s3://bucket/a/b")
    assert RemotePath("s3://bucket").parent == RemotePath("s3://bucket")
    assert path.is_relative_to(RemotePath("s3://bucket/a"))
    assert not path.is_relative_to(RemotePath("s3://bucket/a/set"))
