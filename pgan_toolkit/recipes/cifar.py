"""CIFAR-10 from its published files, of the Python or of the binary version."""

import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pgan_toolkit.errors import DataError
from pgan_toolkit.recipes.archives import read_members
from pgan_toolkit.recipes.checking import check_count, check_files, published_file
from pgan_toolkit.recipes.cifar_batches import Batch, read_binary_batch, read_python_batch
from pgan_toolkit.recipes.order import Order, Recipe
from pgan_toolkit.recipes.pictures import ArrayPictures
from pgan_toolkit.storage import read_file
from pgan_toolkit.storage.manifests import Manifest, load_manifest

__all__ = ["CIFAR10"]

_BATCHES = {
    "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
    "test": ("test_batch",),
}
_PLACES = (
    "cifar-10-batches-py",
    "cifar-10-batches-bin",
    "cifar-10-python.tar.gz",
    "cifar-10-binary.tar.gz",
)
_REMEDY = (
    "name CIFAR-10's cifar-10-python.tar.gz or cifar-10-binary.tar.gz, or the folder "
    "cifar-10-batches-py or -bin that they unpack to"
)
_MOST_BYTES_EACH = 64 * 2**20
"""A batch has 31 MB; written by Python 3, which some copies are, 46 MB."""
_MOST_BYTES = 6 * _MOST_BYTES_EACH


@dataclass(frozen=True)
class _Files:
    """The batches of one split: those in memory (from an archive), or those on the disk."""

    names: Sequence[str]
    binary: bool
    members: dict[str, bytes] | None
    folder: Path

    def batches(self) -> Sequence[Batch]:
        """Decode them, once: what is decoded is forgotten, for all of them take 150 MB."""
        read = read_binary_batch if self.binary else read_python_batch
        return [read(self._bytes(name), name=str(self.folder / name)) for name in self.names]

    def _bytes(self, name: str) -> bytes:
        if self.members is not None:
            return self.members.pop(name)
        path = self.folder / name
        if path.stat().st_size > _MOST_BYTES_EACH:
            raise DataError(
                f"{path}: {path.stat().st_size:,} bytes, more than any of CIFAR-10's files; get "
                "it again"
            )
        return read_file(path)


def _open(path: Path, order: Order) -> ArrayPictures:
    manifest = load_manifest("cifar10")
    place = _locate(path)
    checked = "nothing"
    if place.is_file() and not tarfile.is_tarfile(place):
        raise DataError(f"{place}: is no tar archive; {_REMEDY}")
    if order.verify and place.is_file():
        checked = check_files([place], manifest)
    files = _find_batches(place, order.split)
    if order.verify and place.is_dir():
        checked = _check_unpacked(files, manifest)
    batches = files.batches()
    images = np.concatenate([batch.images for batch in batches])
    labels = np.concatenate([batch.labels for batch in batches])
    if order.verify:
        check_count(len(labels), manifest.counts[order.split], what=str(place), manifest=manifest)
    return ArrayPictures(images, labels, checked=checked)


def _locate(path: Path) -> Path:
    if path.is_dir():
        for name in _PLACES:
            if (path / name).exists():
                return path / name
    return path


def _find_batches(place: Path, split: str) -> _Files:
    members = None
    if place.is_file():
        members = read_members(
            place,
            {*_BATCHES[split], *(f"{name}.bin" for name in _BATCHES[split])},
            most_bytes=_MOST_BYTES,
            most_bytes_each=_MOST_BYTES_EACH,
        )
    for suffix in ("", ".bin"):
        names = [f"{name}{suffix}" for name in _BATCHES[split]]
        missing = [
            name
            for name in names
            if not (name in members if members is not None else (place / name).is_file())
        ]
        if not missing:
            return _Files(names, bool(suffix), members, place)
        if len(missing) < len(names):
            raise DataError(f"{place}: {', '.join(missing)} missing; unpack CIFAR-10 again")
    raise DataError(f"{place}: holds no {_BATCHES[split][0]} of CIFAR-10; {_REMEDY}")


def _check_unpacked(files: _Files, manifest: Manifest) -> str:
    """Of the binary version's files no digest is published, once they are unpacked."""
    paths = [files.folder / name for name in files.names]
    if all(published_file(manifest, path) for path in paths):
        return check_files(paths, manifest)
    return "number and size of the pictures: of unpacked binary files no digest is published"


CIFAR10 = Recipe(
    name="cifar10",
    title="CIFAR-10, 32x32, with its ten classes as labels",
    sizes_px=(32,),
    splits=tuple(_BATCHES),
    decodes=False,
    open_files=_open,
)
"""CIFAR-10 of the paper's Table 3."""
