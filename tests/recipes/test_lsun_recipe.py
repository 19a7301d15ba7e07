import zipfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pgan_toolkit.errors import CheckFailed, DataError, UsageError
from pgan_toolkit.recipes import RECIPES
from pgan_toolkit.recipes.lsun import square_lsun
from pgan_toolkit.storage.manifests import load_manifest

LSUN = RECIPES["lsun"]


def _picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("height", "width"), [(256, 341), (382, 256), (256, 256)])
def test_the_central_square_of_lsuns_pictures_stays_as_it_is(height: int, width: int) -> None:
    image = _picture(height, width)
    top, left = (height - 256) // 2, (width - 256) // 2
    assert np.array_equal(square_lsun(image, "x"), image[top : top + 256, left : left + 256])


@pytest.mark.parametrize(("height", "width"), [(300, 401), (128, 200), (700, 513), (1, 5)])
def test_other_squares_are_resized_as_pillow_does(height: int, width: int) -> None:
    """The authors' program: rows (h - s) // 2 ... (h + s) // 2, then Pillow's ANTIALIAS."""
    image = _picture(height, width)
    side = min(height, width)
    square = image[
        (height - side) // 2 : (height + side) // 2, (width - side) // 2 : (width + side) // 2
    ]
    expected = PIL.Image.fromarray(square).resize((256, 256), PIL.Image.Resampling.LANCZOS)
    assert np.array_equal(square_lsun(image, "x"), np.asarray(expected))


@pytest.mark.parametrize("size", [128, 64, 32])
def test_smaller_sizes_are_means_of_the_256(size: int) -> None:
    image = _picture(300, 280)
    whole, factor = square_lsun(image, "x").astype(float), 256 // size
    means = whole.reshape(size, factor, size, factor, 3).mean(axis=(1, 3))
    assert np.abs(square_lsun(image, "x", size_px=size) - means).max() <= 0.5


def _folder(path: Path, count: int = 3) -> Path:
    path.mkdir(parents=True)
    for index in range(count):
        PIL.Image.fromarray(_picture(256, 260 + index, index)).save(path / f"{index:03d}.png")
    return path


def test_any_stored_set_is_read_in_its_order(tmp_path: Path) -> None:
    made = LSUN.open(_folder(tmp_path / "bedrooms"))
    assert made.keys() == ("000", "001", "002")
    for index, record in enumerate(made):
        left = (4 + index) // 2
        assert np.array_equal(record.image, _picture(256, 260 + index, index)[:, left : left + 256])
    assert made.checked.startswith("nothing")


def test_a_category_has_its_published_number(tmp_path: Path) -> None:
    source = _folder(tmp_path / "bedroom_train_lmdb")
    with pytest.raises(CheckFailed, match="holds 3 pictures, expected the 3,033,042 published"):
        LSUN.open(source)
    assert len(LSUN.open(source, verify=False)) == 3
    with pytest.raises(CheckFailed, match="expected the 300 published"):
        LSUN.open(_folder(tmp_path / "tower_val_lmdb"))


def test_an_archive_of_a_database_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "bedroom_val_lmdb.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bedroom_val_lmdb/data.mdb", b"")
    with pytest.raises(DataError, match=r"unpack it \(unzip bedroom_val_lmdb\.zip\) and name"):
        LSUN.open(path)


def test_a_folder_of_databases_is_told_apart(tmp_path: Path) -> None:
    for name in ("bedroom_val_lmdb", "tower_val_lmdb"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.mdb").touch()
    with pytest.raises(DataError, match=r"holds 2 .*bedroom_val_lmdb, tower_val_lmdb"):
        LSUN.open(tmp_path)


def test_it_has_no_splits(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lsun has no splits"):
        LSUN.open(tmp_path, split="train")


def test_the_manifest_has_all_categories() -> None:
    manifest = load_manifest("lsun")
    assert len(manifest.files) == len(manifest.counts) == 20
    for file in manifest.files:
        assert manifest.counts[file.path.removesuffix("_lmdb.zip")] >= 300
    assert sum(n for name, n in manifest.counts.items() if name.endswith("_train")) == 9_895_373
