"""Data sets as WebDataset shards: tar files in which the files of a sample share a name.

Described in docs/formats.md. A shard is indexed by its headers once, and pictures are then read at
random; nothing is unpacked.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.imaging import decode_image, image_size
from pgan_toolkit.storage.archives import Archive
from pgan_toolkit.storage.base import PictureInfo, StoredSource
from pgan_toolkit.storage.encodings import encoding_of
from pgan_toolkit.storage.keys import PICTURE_EXTENSIONS, KeyRegister
from pgan_toolkit.storage.labels import MOST_LABEL
from pgan_toolkit.storage.places import Place
from pgan_toolkit.storage.tar_members import TarMember, list_members, read_member

__all__ = ["FORMAT", "KEY_FIELD", "WebDatasetSource", "expand_braces", "is_shard_pattern"]

FORMAT = "webdataset"
KEY_FIELD = "pgan_toolkit_key"
"""Field of a sample's .json that holds the key where the name of the files cannot."""

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MOST_SHARDS = 100_000
_INDEXED_AT_ONCE = 8
_LONGEST_LABEL_BYTES = 20
_LONGEST_JSON_BYTES = 1 << 20


@dataclass(frozen=True)
class _Sample:
    key: str
    shard: Archive
    picture: TarMember
    label: int | None


class WebDatasetSource(StoredSource):
    """The pictures of one or more tar files, shard by shard, in the order of each.

    Parameters
    ----------
    path : Path | RemotePath
        A .tar file, a folder of them, or a pattern such as ``faces-{000000..000012}.tar``.

    Raises
    ------
    UsageError
        The pattern names more than 100,000 shards.
    DataError
        A shard is missing or damaged, a name is unsafe, two samples have the same key, a sample
        has two pictures, or a label is no class index.
    """

    def __init__(self, path: Place) -> None:
        self.path = path.absolute()
        ignored: list[str] = []
        by_shard = _samples_by_shard(_shards_of(self.path), ignored)
        samples = _with_distinct_keys(by_shard)
        register = KeyRegister(str(path))
        for sample in samples:
            register.add(sample.key, name=f"{sample.shard.name}: {sample.picture.name}")
        super().__init__(
            self.path,
            format_name=FORMAT,
            keys=[sample.key for sample in samples],
            labels=[sample.label for sample in samples],
        )
        self.ignored = tuple(ignored)
        self._places = [(sample.shard, sample.picture) for sample in samples]

    def _read(self, index: int) -> Image:
        return decode_image(self._encoded(index), name=self._name(index))

    def _inspect(self, index: int) -> PictureInfo:
        data = self._encoded(index)
        height, width = image_size(data, name=self._name(index))
        return PictureInfo(height, width, len(data), encoding_of(data))

    def _encoded(self, index: int) -> bytes:
        return read_member(*self._places[index])

    def _name(self, index: int) -> str:
        shard, picture = self._places[index]
        return f"{shard}: {picture.name}"


def is_shard_pattern(path: Place) -> bool:
    """Whether a path names shards as ``name-{000000..000012}.tar`` does, and no file."""
    return _BRACES.search(path.name) is not None and not path.exists()


def expand_braces(path: Place) -> list[Place]:
    """Return the shards that a pattern with numbers in braces names, in order.

    The numbers have as many digits as the first has: ``{08..11}`` is 08, 09, 10, 11.

    Raises
    ------
    UsageError
        They are more than 100,000, or the last number is below the first.
    """
    found = _BRACES.search(path.name)
    if found is None:
        return [path]
    first, last = int(found[1]), int(found[2])
    if not 0 <= last - first < _MOST_SHARDS:
        raise UsageError(f"{path}: names no shards, or more than {_MOST_SHARDS:,}")
    width = len(found[1])
    before, after = path.name[: found.start()], path.name[found.end() :]
    names = [f"{before}{number:0{width}d}{after}" for number in range(first, last + 1)]
    return [path.with_name(name) for name in names]


def _shards_of(path: Place) -> Sequence[Place]:
    if path.is_dir():
        return sorted((e for e in path.iterdir() if _is_shard(e)), key=lambda e: e.name)
    shards = expand_braces(path) if is_shard_pattern(path) else [path]
    missing = [shard for shard in shards if not shard.is_file()]
    if missing:
        raise DataError(
            f"{path}: {len(missing):,} of {len(shards):,} shards are missing, the first is "
            f"{missing[0].name}; get them, or name those that are there"
        )
    return shards


def _is_shard(path: Place) -> bool:
    return path.suffix.lower() == ".tar" and not path.name.startswith(".") and path.is_file()


def _samples_by_shard(shards: Sequence[Place], ignored: list[str]) -> list[list[_Sample]]:
    """Index shards, several at once: a remote one is read a request after another."""
    with ThreadPoolExecutor(_INDEXED_AT_ONCE) as pool:
        found = list(pool.map(_indexed, shards))
    for _, others in found:
        ignored.extend(others)
    return [samples for samples, _ in found]


def _indexed(shard: Place) -> tuple[list[_Sample], list[str]]:
    ignored: list[str] = []
    return list(_samples(Archive(shard), ignored)), ignored


def _samples(shard: Archive, ignored: list[str]) -> Iterator[_Sample]:
    """Group a shard's members by name; those of samples without a picture are `ignored`."""
    groups: dict[str, list[tuple[str, TarMember]]] = {}
    for member in list_members(shard):
        folder, slash, name = member.name.rpartition("/")
        stem, dot, extension = name.partition(".")
        if not _hidden(member.name) and dot:
            groups.setdefault(f"{folder}{slash}{stem}", []).append((extension.lower(), member))
        elif not _hidden(member.name):
            ignored.append(f"{shard.name}: {member.name}")
    for key, files in groups.items():
        picture = _picture_of(files, shard)
        if picture is None:
            ignored.extend(f"{shard.name}: {member.name}" for _, member in files)
        else:
            described = _description(files, shard)
            stored_key = described.get(KEY_FIELD)
            yield _Sample(
                stored_key if isinstance(stored_key, str) else key,
                shard,
                picture,
                _label_of(files, described, shard),
            )


def _hidden(name: str) -> bool:
    return any(part.startswith(".") and part not in {".", ".."} for part in name.split("/"))


def _picture_of(files: Iterable[tuple[str, TarMember]], shard: Archive) -> TarMember | None:
    """Choose the picture: KEY.png before KEY.thumbnail.png, and two alike are an error."""
    pictures = sorted(
        (extension.count("."), member)
        for extension, member in files
        if f".{extension.rpartition('.')[2]}" in PICTURE_EXTENSIONS
    )
    if not pictures:
        return None
    if len(pictures) > 1 and pictures[0][0] == pictures[1][0]:
        raise DataError(
            f"{shard}: {pictures[0][1].name!r} and {pictures[1][1].name!r} are two pictures of "
            "one sample; keep one, or name it KEY.png and the other KEY.other.png"
        )
    return pictures[0][1]


def _description(files: Iterable[tuple[str, TarMember]], shard: Archive) -> Mapping[str, object]:
    """Return the fields of a sample's .json; none where it is no object, or beyond 1 MiB."""
    for extension, member in files:
        if extension == "json" and member.size <= _LONGEST_JSON_BYTES:
            try:
                content = json.loads(read_member(shard, member))
            except (ValueError, RecursionError) as error:
                raise DataError(f"{shard}: {member.name}: not JSON ({error})") from error
            return content if isinstance(content, dict) else {}
    return {}


def _label_of(
    files: Iterable[tuple[str, TarMember]], described: Mapping[str, object], shard: Archive
) -> int | None:
    """Class index from KEY.cls, else from the field "label" where it is an integer."""
    for extension, member in files:
        if extension == "cls":
            text = read_member(shard, member) if member.size <= _LONGEST_LABEL_BYTES else b""
            if not text.strip().isdigit() or int(text) > MOST_LABEL:
                raise DataError(
                    f"{shard}: {member.name}: {text!r} is no class index from 0; write the shard "
                    "with class indices, or without .cls"
                )
            return int(text)
    label = described.get("label")
    whole = isinstance(label, int) and not isinstance(label, bool)
    return label if whole and 0 <= label <= MOST_LABEL else None  # type: ignore[operator, return-value]


def _with_distinct_keys(by_shard: Sequence[Sequence[_Sample]]) -> list[_Sample]:
    """Put the shard's name before the keys where shards count their samples from 0 each."""
    seen: set[str] = set()
    for samples in by_shard:
        keys = {sample.key.casefold() for sample in samples}
        if not seen.isdisjoint(keys):
            return [
                _Sample(f"{s.shard.stem}/{s.key}", s.shard, s.picture, s.label)
                for samples in by_shard
                for s in samples
            ]
        seen |= keys
    return [sample for samples in by_shard for sample in samples]
