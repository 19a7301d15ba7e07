import zipfile
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from pgan_toolkit.errors import CheckFailed, DataError
from pgan_toolkit.recipes import RECIPES
from pgan_toolkit.recipes.celeba import crop_celeba

CELEBA = RECIPES["celeba"]
NAMES = [f"{number:06d}" for number in range(1, 7)]


def _aligned(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (218, 178, 3), dtype=np.uint8)


def _write(folder: Path, *, suffix: str = ".png") -> Path:
    folder.mkdir(parents=True)
    for seed, name in enumerate(NAMES):
        PIL.Image.fromarray(_aligned(seed)).save(folder / f"{name}{suffix}")
    return folder


def _partition(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    rows = zip(NAMES, (0, 0, 1, 2, 0, 1), strict=True)
    path.write_text("".join(f"{name}.jpg {part}\n" for name, part in rows))


def test_the_crop_is_that_of_the_authors() -> None:
    """The rows 121 - 64 ... 121 + 64 and the columns 89 - 64 ... 89 + 64 (dataset tool)."""
    y, x = np.mgrid[:218, :178]
    image = np.stack([y, x, y + x], axis=2).astype(np.uint8)
    crop = crop_celeba(image, "x")
    assert crop.shape == (128, 128, 3)
    assert crop[0, 0].tolist() == [57, 25, 82]
    assert crop[-1, -1].tolist() == [184, 152, (184 + 152) % 256]
    assert np.array_equal(crop, image[121 - 64 : 121 + 64, 89 - 64 : 89 + 64])


@pytest.mark.parametrize("size", [64, 32])
def test_smaller_sizes_are_means_of_blocks(size: int) -> None:
    crop = crop_celeba(_aligned(1), "x").astype(float)
    factor = 128 // size
    means = crop.reshape(size, factor, size, factor, 3).mean(axis=(1, 3))
    assert np.abs(crop_celeba(_aligned(1), "x", size_px=size) - means).max() <= 0.5


@pytest.mark.parametrize("layout", ["Img/img_align_celeba_png", "img_align_celeba", "."])
def test_pictures_are_found_in_a_download(tmp_path: Path, layout: str) -> None:
    source = tmp_path / "CelebA"
    _write(source / layout)
    made = CELEBA.open(source, verify=False)
    assert made.keys() == tuple(NAMES)
    for seed, record in enumerate(made):
        assert np.array_equal(record.image, _aligned(seed)[57:185, 25:153])
        assert record.label is None


def test_png_is_preferred_and_the_zip_is_read(tmp_path: Path) -> None:
    folder = _write(tmp_path / "plain")
    (tmp_path / "CelebA").mkdir()
    path = tmp_path / "CelebA" / "img_align_celeba.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"img_align_celeba/{file.name}")
    for source in (path, path.parent):
        assert CELEBA.open(source, verify=False).keys() == tuple(NAMES)
    with pytest.raises(CheckFailed, match=r"expected 1,443,490,838 \(cut short\)"):
        CELEBA.open(path)
    _write(tmp_path / "CelebA" / "img_align_celeba_png")
    made = CELEBA.open(path.parent, verify=False)
    assert len(made) == 6


def test_the_number_of_unpacked_pictures_is_compared(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="holds 6 pictures, expected the 202,599 published"):
        CELEBA.open(_write(tmp_path / "img_align_celeba"))


@pytest.mark.parametrize(
    ("split", "expected"),
    [("train", [0, 1, 4]), ("valid", [2, 5]), ("test", [3]), ("all", range(6))],
)
@pytest.mark.parametrize("place", ["Eval/list_eval_partition.txt", "list_eval_partition.txt"])
def test_splits_are_the_official_ones(
    tmp_path: Path, split: str, expected: list[int], place: str
) -> None:
    folder = _write(tmp_path / "img_align_celeba")
    _partition(tmp_path / place)
    for source in (tmp_path, folder):
        made = CELEBA.open(source, split=split, verify=False)
        assert made.keys() == tuple(NAMES[index] for index in expected)
        for index, record in zip(expected, made, strict=True):
            assert np.array_equal(record.image, _aligned(index)[57:185, 25:153])


def test_a_split_needs_its_table(tmp_path: Path) -> None:
    source = _write(tmp_path / "a" / "b" / "img_align_celeba")
    with pytest.raises(DataError, match=r"needs CelebA's Eval/list_eval_partition\.txt"):
        CELEBA.open(source, split="test", verify=False)
    (source / "list_eval_partition.txt").write_text("000001.jpg train\n")
    with pytest.raises(DataError, match=r"expected lines such as '000001\.jpg 0'"):
        CELEBA.open(source, split="test", verify=False)
    (source / "list_eval_partition.txt").write_text("000001.jpg 0\n")
    with pytest.raises(DataError, match="none of its pictures is in the part 'test'"):
        CELEBA.open(source, split="test", verify=False)


def test_pictures_that_are_not_aligned_are_refused_with_advice(tmp_path: Path) -> None:
    wild = tmp_path / "img_celeba"
    wild.mkdir()
    PIL.Image.fromarray(np.zeros((687, 409, 3), np.uint8)).save(wild / "000001.jpg")
    with pytest.raises(DataError, match="409x687 pixels; expected 178x218") as caught:
        CELEBA.open(tmp_path)
    assert "img_align_celeba.zip" in str(caught.value)
    assert "build-celebahq" in str(caught.value)


def test_a_single_picture_of_another_size_is_named(tmp_path: Path) -> None:
    folder = _write(tmp_path / "img_align_celeba")
    PIL.Image.fromarray(np.zeros((109, 89, 3), np.uint8)).save(folder / "000003.png")
    made = CELEBA.open(folder, verify=False)
    with pytest.raises(DataError, match=r"000003\.png: 89x109 pixels"):
        made[2]


def test_an_archive_that_is_not_unpacked_is_told(tmp_path: Path) -> None:
    parts = tmp_path / "Img" / "img_align_celeba_png.7z"
    parts.mkdir(parents=True)
    (parts / "img_align_celeba_png.7z.001").write_bytes(b"7z")
    with pytest.raises(DataError, match="unpack it first, with `7z x"):
        CELEBA.open(tmp_path)


@pytest.mark.shared_data
def test_the_crop_of_real_faces_holds_the_face(shared_data: Path) -> None:
    """Thumbnails have half the size: enlarged, the eyes must lie in the crop's upper half."""
    with zipfile.ZipFile(shared_data / "celeba_thumbs_89x109.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[:200]
        faces = [
            np.asarray(PIL.Image.open(archive.open(name)).convert("RGB").resize((178, 218)))
            for name in names
        ]
    crops = np.stack([crop_celeba(face, "x") for face in faces])
    mean = cv2.cvtColor(crops.mean(axis=0).astype(np.uint8), cv2.COLOR_RGB2GRAY).astype(float)
    # CelebA aligns the eyes to (69, 111) and (108, 111): (44, 54) and (83, 54) in the crop.
    for x in (44, 83):
        eye = mean[51:58, x - 3 : x + 4].mean()
        assert eye < mean[70:77, x - 3 : x + 4].mean() - 10  # the cheek
        assert eye < mean[30:37, x - 3 : x + 4].mean() - 10  # the forehead
