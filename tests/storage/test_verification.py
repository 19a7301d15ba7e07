import hashlib
from pathlib import Path

import pytest
from stored_sets import picture, records, written

from pgan_toolkit.imaging import encode_jpeg, encode_png
from pgan_toolkit.storage import FORMATS, FormatName, Record, open_source
from pgan_toolkit.storage.inspection import inspect
from pgan_toolkit.storage.manifests import Manifest, ManifestFile, Named, load_manifest
from pgan_toolkit.storage.verification import (
    check_download,
    check_pictures,
    find_download,
    is_download,
)


def manifest(*files: ManifestFile) -> Manifest:
    named = Named("somewhere", "https://example.org")
    return Manifest("mine", "Mine", "download", named, named, {}, files)


def described(path: str, data: bytes) -> ManifestFile:
    return ManifestFile(path, len(data), md5=hashlib.md5(data, usedforsecurity=False).hexdigest())


PUBLISHED = manifest(
    described("Anno/points.txt", b"points"),
    described("Img/a.zip", b"archive"),
    ManifestFile("Img/b.zip", 3, sha256=hashlib.sha256(b"two").hexdigest()),
)


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("layout", ["{}", "{}/{}", "deep/{}"])
def test_a_good_subset_passes_wherever_it_lies(tmp_path: Path, layout: str) -> None:
    place = {"{}": "a.zip", "{}/{}": "Img/a.zip", "deep/{}": "deep/x/a.zip"}[layout]
    check = check_download(fill(tmp_path, {place: b"archive"}), PUBLISHED)
    assert check.good == ("Img/a.zip",)
    assert check.missing == ("Anno/points.txt", "Img/b.zip")
    assert check.passed


def test_every_wrong_file_is_listed(tmp_path: Path) -> None:
    fill(tmp_path, {"a.zip": b"arch", "b.zip": b"owt", "points.txt": b"points"})
    check = check_download(tmp_path, PUBLISHED)
    assert check.good == ("Anno/points.txt",)
    assert "4 bytes, expected 7 (cut short)" in check.wrong["Img/a.zip"]
    assert f"expected {PUBLISHED.files[2].sha256}" in check.wrong["Img/b.zip"]
    assert not check.passed


def test_quick_compares_sizes_only(tmp_path: Path) -> None:
    fill(tmp_path, {"a.zip": b"ARCHIVE", "b.zip": b"ow"})
    check = check_download(tmp_path, PUBLISHED, quick=True)
    assert check.good == ("Img/a.zip",)
    assert set(check.wrong) == {"Img/b.zip"}


def test_nothing_of_a_download_is_no_pass(tmp_path: Path) -> None:
    assert not check_download(tmp_path, PUBLISHED).passed


def test_the_file_at_its_place_goes_before_one_of_the_same_name(tmp_path: Path) -> None:
    fill(tmp_path, {"Img/a.zip": b"archive", "0/a.zip": b"other"})
    assert find_download(tmp_path, PUBLISHED)["Img/a.zip"] == tmp_path / "Img" / "a.zip"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"Anno/points.txt": b"points"}, True),
        ({"Anno/points.txt": b"my own points"}, False),
        ({"Img/a.zip": b"cut"}, True),
        ({"other.txt": b""}, False),
    ],
)
def test_a_download_is_recognised(tmp_path: Path, files: dict[str, bytes], expected: bool) -> None:
    assert is_download(fill(tmp_path, files), PUBLISHED) is expected


def test_parts_of_celeba_are_recognised(tmp_path: Path) -> None:
    fill(tmp_path, {"img_celeba.7z.003": b""})
    assert is_download(tmp_path, load_manifest("celeba"))


def test_every_damaged_picture_and_every_duplicate_is_reported(tmp_path: Path) -> None:
    good = encode_png(picture(0))
    fill(
        tmp_path,
        {
            "a.png": good,
            "b.png": good[:-30],
            "c/d.png": b"",
            "e.bmp": b"BM nonsense",
            "f.png": encode_png(picture(0)),
            "g.png": encode_png(picture(1, width=16)),
            "h.jpg": encode_jpeg(picture(2), quality=90),
        },
    )
    seen: list[int] = []
    check = check_pictures(open_source(tmp_path), advance=lambda: seen.append(1))
    assert set(check.damaged) == {"b", "c/d", "e"}
    assert all(str(tmp_path) in message for message in check.damaged.values())
    assert check.duplicates == (("a", "f"),)
    assert check.sizes == {"8x8": 3, "16x8": 1}
    assert not check.passed
    assert len(seen) == check.count == 7


def test_quick_reads_headers_only(tmp_path: Path) -> None:
    fill(tmp_path, {"a.png": encode_png(picture(0))[:-30], "b.png": b"no picture"})
    check = check_pictures(open_source(tmp_path), quick=True)
    assert set(check.damaged) == {"b"}


@pytest.mark.parametrize("format_name", [name for name in FORMATS if name != "lmdb"])
def test_whole_sets_pass(tmp_path: Path, format_name: FormatName) -> None:
    check = check_pictures(open_source(written(tmp_path / "set", records(4), format_name)))
    assert check.passed
    assert check.sizes == {"8x8": 4}
    assert check.duplicates == ()


def test_inspection_of_a_mixed_folder(tmp_path: Path) -> None:
    jpeg, png = encode_jpeg(picture(0), quality=90), encode_png(picture(1, width=16))
    labels = b'{"labels": [["a.jpg", 1], ["b.png", 0]]}'
    files = {"a.jpg": jpeg, "b.png": png, "c.png": b"", "dataset.json": labels, "n.txt": b""}
    found = inspect(open_source(fill(tmp_path, files)))
    assert found.format == "folder"
    assert found.count == 3
    assert found.sizes == {"8x8": 1, "16x8": 1}
    assert found.encodings == {"JPEG": 1, "PNG": 1}
    assert found.losses == {"lossy": 1, "lossless": 1}
    assert found.stored_bytes == len(jpeg) + len(png)
    assert found.labels == {0: 1, 1: 1}
    assert found.unlabelled == 1
    assert found.ignored == ("n.txt",)
    assert len(found.unreadable) == 1
    assert "c.png" in found.unreadable[0]
    assert found.first_keys == ("a", "b", "c")


@pytest.mark.parametrize("format_name", ["hdf5", "hdf5-multires"])
def test_inspection_of_hdf5(tmp_path: Path, format_name: FormatName) -> None:
    found = inspect(open_source(written(tmp_path / "set", records(4), format_name)))
    assert found.encodings == {"pixels": 4}
    assert found.losses == {"lossless": 4}
    assert found.sizes == {"8x8": 4}
    assert found.stored_bytes == 4 * 8 * 8 * 3


def test_inspection_counts_a_zips_stored_bytes(tmp_path: Path) -> None:
    rows = [Record("a", picture(0)), Record("b", picture(1))]
    found = inspect(open_source(written(tmp_path / "set", rows, "zip")))
    assert found.stored_bytes == sum(len(encode_png(row.image)) for row in rows)


@pytest.mark.shared_data
def test_real_photographs_are_whole(shared_data: Path) -> None:
    folder = shared_data / "celeba_wild"
    assert not is_download(folder, load_manifest("celeba"))
    check = check_pictures(open_source(folder), quick=True)
    assert check.count == 83
    assert check.passed
