"""LSUN's pictures, cropped to the central square and resized to 256x256."""

import contextlib
import zipfile
from functools import partial
from pathlib import Path

from pgan_toolkit.arrays import Image
from pgan_toolkit.errors import DataError
from pgan_toolkit.imaging import box_downscale, lanczos_resize
from pgan_toolkit.recipes.checking import check_count
from pgan_toolkit.recipes.order import Order, Recipe
from pgan_toolkit.recipes.pictures import StoredPictures
from pgan_toolkit.storage import open_source
from pgan_toolkit.storage.headers import READ_ERRORS
from pgan_toolkit.storage.manifests import load_manifest

__all__ = ["LSUN", "square_lsun"]

_SIDE_PX = 256
_DATABASE = "data.mdb"


def square_lsun(image: Image, name: str, *, size_px: int = _SIDE_PX) -> Image:
    """Cut out the central square and resize it to 256x256 by Lanczos (a = 3), as the authors do.

    Where height and width differ by an odd number, the square lies half a pixel to the left or to
    the top, as theirs. LSUN's shorter sides are 256 pixels already: most squares stay as they are.
    Smaller sizes are exact means of blocks of the 256x256 pixels, rounded once, as the lower
    resolutions of the authors' data files are.

    Parameters
    ----------
    image : Image
        uint8 (H, W, 3).
    name : str
        Not used: no picture is refused.
    size_px : int
        256, 128, 64 or 32.

    Returns
    -------
    Image
        uint8 (size_px, size_px, 3).
    """
    del name
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    resized = lanczos_resize(square, width=_SIDE_PX, height=_SIDE_PX)
    return box_downscale(resized, factor=_SIDE_PX // size_px)


def _open(path: Path, order: Order) -> StoredPictures:
    _refuse_what_holds_databases(path)
    source = open_source(path)
    manifest = load_manifest("lsun")
    checked = "nothing: no digest of an unpacked database is published"
    category = path.absolute().name.removesuffix("_lmdb")
    if order.verify and category in manifest.counts:
        check_count(len(source), manifest.counts[category], what=str(path), manifest=manifest)
        checked = f"the number of pictures in {category}"
    return StoredPictures(
        source,
        range(len(source)),
        source.keys(),
        render=partial(square_lsun, size_px=order.size_px),
        size_px=order.size_px,
        checked=checked,
    )


def _refuse_what_holds_databases(path: Path) -> None:
    if path.is_file() and zipfile.is_zipfile(path):
        inside = []
        with contextlib.suppress(*READ_ERRORS), zipfile.ZipFile(path) as archive:  # told below
            inside = [name for name in archive.namelist() if name.endswith(_DATABASE)]
        if inside:
            raise DataError(
                f"{path}: holds a database, {inside[0]}, which is read from the disk: unpack it "
                f"(unzip {path.name}) and name the folder {inside[0].rpartition('/')[0] or '.'}"
            )
    if path.is_dir() and not (path / _DATABASE).exists():
        databases = sorted(place.parent.name for place in path.glob(f"*/{_DATABASE}"))
        if databases:
            raise DataError(
                f"{path}: holds {len(databases)} of LSUN's databases; name one of them: "
                f"{', '.join(databases[:5])}"
            )


LSUN = Recipe(
    name="lsun",
    title="a category of LSUN, its central squares at 256x256",
    sizes_px=(256, 128, 64, 32),
    splits=(),
    decodes=True,
    open_files=_open,
)
"""LSUN of the paper's figures 5 and 15 to 17 and, at 128, of Table 1."""
