"""Manifests: what a published data set is made of, with sizes, digests, source and licence.

Those that come with the program are JSON files in the package `pgan_data_manifests`; a user may
write others. Their schema is `manifest.schema.json` there.
"""

import csv
import importlib.resources
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal, NamedTuple

from pgan_toolkit.digests import bytes_digest
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.storage.reading import MOST_TEXT_BYTES, read_file

__all__ = [
    "Manifest",
    "ManifestFile",
    "Named",
    "PublishedPick",
    "celeba_hq_list",
    "load_manifest",
    "manifest_names",
]

_FORMAT = "pgan-toolkit manifest"
_VERSION = 1
_PACKAGE = "pgan_data_manifests"
_OF_WEIGHTS = ("extractors.json", "weights.json")
_DIGEST_DIGITS = {"md5": 32, "sha256": 64}


class Named(NamedTuple):
    """A source or a licence: what it is called, and its address."""

    name: str
    url: str


@dataclass(frozen=True)
class ManifestFile:
    """One file of a data set.

    Attributes
    ----------
    path : str
        Relative, "/" between folders.
    size_bytes : int
        Its size.
    md5, sha256 : str | None
        Its digests in hexadecimal; at least one of them.
    """

    path: str
    size_bytes: int
    md5: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Manifest:
    """A published data set.

    Attributes
    ----------
    name, title : str
        Its short name, and what it is in a sentence.
    kind : {"download", "list"}
        Files that a user fetches, or a table that lies beside the manifest.
    source, licence : Named
        Where it comes from, and on what terms.
    counts : mapping of str to int
        How many of what it holds.
    files : tuple of ManifestFile
        Its files.
    """

    name: str
    title: str
    kind: Literal["download", "list"]
    source: Named
    licence: Named
    counts: Mapping[str, int]
    files: tuple[ManifestFile, ...]


class PublishedPick(NamedTuple):
    """One row of the published CelebA-HQ list.

    `rank` counts from 0, best first; `orig_idx` counts CelebA's photographs from 0; `orig_file`
    is the photograph's name, "000001.jpg" for index 0.
    """

    rank: int
    orig_idx: int
    orig_file: str


def manifest_names() -> tuple[str, ...]:
    """Names of the manifests that come with the program."""
    names = (entry.name for entry in _package().iterdir())
    return tuple(
        sorted(
            name.removesuffix(".json")
            for name in names
            if name.endswith(".json") and name not in _OF_WEIGHTS and ".schema." not in name
        )
    )


def load_manifest(name_or_path: str | Path) -> Manifest:
    """Read a manifest by its name, or from a JSON file.

    Parameters
    ----------
    name_or_path : str | Path
        One of `manifest_names()`, or a path that ends in ".json" or holds a "/".

    Raises
    ------
    UsageError
        No such manifest or file.
    DataError
        The file is not a manifest, or of another version.
    """
    text = str(name_or_path)
    if text in manifest_names():
        return _parse((_package() / f"{text}.json").read_bytes(), where=f"{text}.json")
    path = Path(name_or_path)
    if path.suffix == ".json" and path.is_file():
        return _parse(read_file(path, most_bytes=MOST_TEXT_BYTES), where=text)
    raise UsageError(
        f"{text}: no such manifest; name one of {', '.join(manifest_names())}, or a JSON file"
    )


def celeba_hq_list() -> tuple[PublishedPick, ...]:
    """Read the 30,000 photographs that CelebA-HQ's authors chose, by rank.

    Raises
    ------
    DataError
        The installed list is not the one that its manifest describes.
    """
    manifest = load_manifest("celeba_hq")
    described = manifest.files[0]
    data = (_package() / described.path).read_bytes()
    if bytes_digest(data) != described.sha256:
        raise DataError(
            f"{described.path}: SHA-256 {bytes_digest(data)}, expected {described.sha256}; "
            "the installation is damaged: install pgan-toolkit again"
        )
    rows = csv.DictReader(io.StringIO(data.decode("ascii")))
    return tuple(
        PublishedPick(int(row["rank"]), int(row["orig_idx"]), row["orig_file"]) for row in rows
    )


def _package() -> Traversable:
    return importlib.resources.files(_PACKAGE)


def _parse(data: bytes, *, where: str) -> Manifest:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON ({error})") from error
    fields = _Fields(content, where)
    fields.expect("format", _FORMAT)
    fields.expect("version", _VERSION)
    files = tuple(
        _parse_file(_Fields(entry, f"{where}: files[{index}]"))
        for index, entry in enumerate(fields.rows("files"))
    )
    return Manifest(
        name=fields.text("name"),
        title=fields.text("title"),
        kind="list" if fields.choice("kind", ("download", "list")) == "list" else "download",
        source=_parse_named(fields.inner("source")),
        licence=_parse_named(fields.inner("licence")),
        counts=_parse_counts(fields.inner("counts")),
        files=files,
    )


def _parse_named(fields: "_Fields") -> Named:
    return Named(fields.text("name"), fields.text("url"))


def _parse_counts(fields: "_Fields") -> Mapping[str, int]:
    return {name: fields.number(name) for name in fields.names()}


def _parse_file(fields: "_Fields") -> ManifestFile:
    path = fields.text("path")
    if "\\" in path or any(part in {"", ".", ".."} for part in path.split("/")):
        raise fields.error("path", "a relative path")
    md5, sha256 = fields.digest("md5"), fields.digest("sha256")
    if md5 is None and sha256 is None:
        raise fields.error("md5", "an MD5 or a SHA-256 digest")
    return ManifestFile(path, fields.number("bytes"), md5, sha256)


class _Fields:
    """An object of JSON whose fields are asked for by type; errors name the place."""

    def __init__(self, content: object, where: str) -> None:
        if not isinstance(content, dict):
            raise DataError(f"{where}: {content!r:.60}; expected an object")
        self._content: dict[str, object] = content
        self._where = where

    def names(self) -> list[str]:
        return list(self._content)

    def error(self, name: str, expected: str) -> DataError:
        got = repr(self._content[name])[:60] if name in self._content else "missing"
        return DataError(f"{self._where}: {name!r} is {got}; expected {expected}")

    def expect(self, name: str, value: str | int) -> None:
        if self._content.get(name) != value:
            raise self.error(name, repr(value))

    def text(self, name: str) -> str:
        value = self._content.get(name)
        if not isinstance(value, str) or not value:
            raise self.error(name, "text")
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self._content.get(name)
        if not isinstance(value, str) or value not in choices:
            raise self.error(name, " or ".join(map(repr, choices)))
        return value

    def number(self, name: str) -> int:
        value = self._content.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.error(name, "a whole number from 0")
        return value

    def digest(self, name: str) -> str | None:
        if name not in self._content:
            return None
        digits = _DIGEST_DIGITS[name]
        value = self._content[name]
        if not isinstance(value, str) or not re.fullmatch(f"[0-9a-f]{{{digits}}}", value):
            raise self.error(name, f"{digits} lower-case hexadecimal digits")
        return value

    def inner(self, name: str) -> "_Fields":
        if not isinstance(self._content.get(name), dict):
            raise self.error(name, "an object")
        return _Fields(self._content[name], f"{self._where}: {name}")

    def rows(self, name: str) -> list[object]:
        value = self._content.get(name)
        if not isinstance(value, list) or not value:
            raise self.error(name, "a list of at least one")
        return value
