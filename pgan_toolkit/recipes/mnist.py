"""MNIST's digits as grey pictures with their classes."""

from pathlib import Path
from typing import cast

from pgan_toolkit.recipes.checking import check_count, check_files
from pgan_toolkit.recipes.order import Order, Recipe
from pgan_toolkit.recipes.pictures import ArrayPictures
from pgan_toolkit.storage.manifests import Manifest, load_manifest

__all__ = ["MNIST"]

_DIGIT_PX = 28
_PREFIXES = {"train": "train", "test": "t10k"}


def _open(path: Path, order: Order) -> ArrayPictures:
    from pgan_toolkit.evaluation.digits import Split, load_mnist  # loads torch

    folder = path / "MNIST" / "raw" if (path / "MNIST" / "raw").is_dir() else path
    manifest = load_manifest("mnist")
    checked = _check(folder, manifest, order) if order.verify else "nothing"
    digits = load_mnist(folder, split=cast("Split", order.split))
    if order.verify:
        check_count(len(digits), manifest.counts[order.split], what=str(folder), manifest=manifest)
    return ArrayPictures(
        digits.images,
        digits.labels,
        checked=checked,
        border_px=(order.size_px - _DIGIT_PX) // 2,
    )


def _check(folder: Path, manifest: Manifest, order: Order) -> str:
    """Compare the compressed files; an unpacked one beside it is what will be read."""
    names = (f"{_PREFIXES[order.split]}-{what}-ubyte" for what in ("images-idx3", "labels-idx1"))
    packed = [folder / f"{name}.gz" for name in names if not (folder / name).is_file()]
    present = [file for file in packed if file.is_file()]
    if len(present) < 2:
        return "number and size of the digits: of unpacked files no digest is published"
    return check_files(present, manifest)


MNIST = Recipe(
    name="mnist",
    title="MNIST, 28x28 or 32x32, with the digits as labels",
    sizes_px=(28, 32),
    splits=tuple(_PREFIXES),
    decodes=False,
    open_files=_open,
)
"""MNIST as it is. For three digits a picture, as in the paper's Table 4: `data stacked-mnist`."""
