"""CelebA's aligned pictures, cropped to 128x128 as in the paper's Table 1."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import box_downscale
from pgan_toolkit.recipes.checking import check_count, check_files
from pgan_toolkit.recipes.order import Order, Recipe
from pgan_toolkit.recipes.pictures import StoredPictures
from pgan_toolkit.storage import StoredSource, open_source, read_file
from pgan_toolkit.storage.manifests import Manifest, load_manifest

__all__ = ["CELEBA", "crop_celeba"]

_WIDTH, _HEIGHT = 178, 218
_CENTRE_X, _CENTRE_Y, _HALF = 89, 121, 64
_CROP_PX = 2 * _HALF
_ALIGNED = ("img_align_celeba_png", "img_align_celeba", "img_align_celeba.zip")
"""By preference: the authors' program reads the PNG files."""
_PARTITION = "list_eval_partition.txt"
_SPLITS = {"train": "0", "valid": "1", "test": "2"}


def crop_celeba(image: Image, name: str, *, size_px: int = _CROP_PX) -> Image:
    """Cut the 128x128 pixels around x = 89, y = 121 out of an aligned picture.

    Rows 57 to 184 and columns 25 to 152, as the authors' program does. Smaller sizes, which are
    not theirs, are exact means of blocks of the 128x128 pixels, rounded once.

    Parameters
    ----------
    image : Image
        uint8 (218, 178, 3).
    name : str
        What an error calls it.
    size_px : int
        128, 64 or 32.

    Returns
    -------
    Image
        uint8 (size_px, size_px, 3).

    Raises
    ------
    DataError
        The picture has another size.
    """
    height, width = image.shape[:2]
    if (width, height) != (_WIDTH, _HEIGHT):
        raise _not_aligned(name, width, height)
    top, left = _CENTRE_Y - _HALF, _CENTRE_X - _HALF
    crop = image[top : top + _CROP_PX, left : left + _CROP_PX]
    return box_downscale(crop, factor=_CROP_PX // size_px)


def _open(path: Path, order: Order) -> StoredPictures:
    manifest = load_manifest("celeba")
    place = _locate(path)
    source = open_source(place)
    info = source.info(0)
    if (info.width, info.height) != (_WIDTH, _HEIGHT):
        raise _not_aligned(source.name(0), info.width, info.height)
    checked = _check(source, place, manifest) if order.verify else "nothing"
    indices = _split_indices(source, path, order, manifest)
    return StoredPictures(
        source,
        indices,
        [_stem(source.keys()[index]) for index in indices],
        render=partial(crop_celeba, size_px=order.size_px),
        size_px=order.size_px,
        checked=checked,
    )


def _check(source: StoredSource, place: Path, manifest: Manifest) -> str:
    checked = "number and size of the unpacked pictures"
    if place.is_file():
        checked = check_files([place], manifest)
    check_count(len(source), manifest.counts["photographs"], what=str(place), manifest=manifest)
    return checked


def _locate(path: Path) -> Path:
    """Find the aligned pictures in a download; other paths are taken for them."""
    if path.is_dir():
        for name in _ALIGNED:
            for place in (path / name, path / "Img" / name):
                if place.exists():
                    return place
    return path


def _split_indices(
    source: StoredSource, path: Path, order: Order, manifest: Manifest
) -> Sequence[int]:
    if order.split == "all":
        return range(len(source))
    partition = _find_partition(path)
    if order.verify:
        check_files([partition], manifest)
    parts = _read_partition(partition)
    wanted = _SPLITS[order.split]
    found = [index for index, key in enumerate(source.keys()) if parts.get(_stem(key)) == wanted]
    if not found:
        raise DataError(
            f"{source.path}: none of its pictures is in the part {order.split!r} of {partition}; "
            "expected CelebA's file names, 000001.jpg and so on"
        )
    return found


def _find_partition(path: Path) -> Path:
    for folder in (path, path.parent, path.parent.parent):
        for place in (folder / _PARTITION, folder / "Eval" / _PARTITION):
            if place.is_file():
                return place
    raise DataError(
        f"{path}: the split needs CelebA's Eval/{_PARTITION} in this folder or beside it; get it "
        "from CelebA's page, or use --split all"
    )


def _read_partition(path: Path) -> Mapping[str, str]:
    """Read "000001.jpg 0" and so on: the number of a picture -> its part."""
    rows = [line.split() for line in read_file(path).decode("ascii", "replace").splitlines()]
    if not all(len(row) == 2 and row[1] in _SPLITS.values() for row in rows):
        raise DataError(f"{path}: expected lines such as '000001.jpg 0'; get it again")
    return {PurePosixPath(name).stem: part for name, part in rows}


def _stem(key: str) -> str:
    return key.rsplit("/", 1)[-1]


def _not_aligned(name: str, width: int, height: int) -> DataError:
    return DataError(
        f"{name}: {width}x{height} pixels; expected {_WIDTH}x{_HEIGHT}, CelebA's aligned pictures: "
        "name Img/img_align_celeba.zip of the download, or what it or img_align_celeba_png.7z "
        "unpacks to. (Those in the wild, img_celeba, are for build-celebahq.)"
    )


CELEBA = Recipe(
    name="celeba",
    title="CelebA's aligned faces, 128x128 around (89, 121)",
    sizes_px=(128, 64, 32),
    splits=("all", *_SPLITS),
    decodes=True,
    open_files=_open,
)
"""CelebA-128 of the paper's Table 1."""
