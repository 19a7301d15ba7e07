import os
from pathlib import Path

import numpy as np
import pytest

from pgan_toolkit.celebahq.landmarks import COLUMNS
from pgan_toolkit.celebahq.photographs import find_photographs, key_of
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.storage import PICTURE_EXTENSIONS

NUMBERS = "1 2 30 2 15 15 3 30 29 30"


def put(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def put_table(path: Path, *files: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{file} {NUMBERS}" for file in files]
    path.write_text("\n".join([str(len(rows)), " ".join(COLUMNS), *rows]) + "\n")
    return path


@pytest.mark.parametrize("folder", ["img_celeba", "Img/img_celeba"])
def test_celebas_own_layout(tmp_path, folder):
    put(tmp_path, f"{folder}/000002.jpg", f"{folder}/000001.jpg", "Img/img_align_celeba/000001.jpg")
    put_table(tmp_path / "Anno/list_landmarks_celeba.txt", "000001.jpg", "000002.jpg")
    found = find_photographs(tmp_path)
    assert [item.key for item in found] == ["000001", "000002"]
    assert found.photographs[0].path == tmp_path / folder / "000001.jpg"
    assert found.photographs[0].landmarks.ravel().tolist() == [*map(int, NUMBERS.split())]
    assert found.table == tmp_path / "Anno/list_landmarks_celeba.txt"
    assert [item.problem for item in found] == [None, None]
    assert found.notes == ()


def test_the_folder_of_pictures_itself_finds_the_table_beside_it(tmp_path):
    put(tmp_path, "img_celeba/000001.jpg")
    table = put_table(tmp_path / "Anno/list_landmarks_celeba.txt", "000001.jpg")
    assert find_photographs(tmp_path / "img_celeba").table == table


@pytest.mark.parametrize("name", ["list_landmarks_celeba.txt", "landmarks.txt"])
def test_a_flat_folder_with_a_table_and_sub_folders(tmp_path, name):
    put(tmp_path, "b.png", "sub/a.JPG", ".hidden/c.jpg", ".d.jpg")
    put_table(tmp_path / name, "b.png", "sub/a.JPG")
    found = find_photographs(tmp_path)
    assert [item.key for item in found] == ["b", "sub/a"]
    assert found.notes == ()


def test_other_formats_of_the_table_are_found(tmp_path):
    put(tmp_path, "a.jpg")
    numbers = ",".join(NUMBERS.split())
    (tmp_path / "landmarks.csv").write_text(f"file,{','.join(COLUMNS)}\na.jpg,{numbers}\n")
    assert find_photographs(tmp_path).photographs[0].problem is None


def test_a_table_named_by_the_user_goes_before_the_one_found(tmp_path):
    put(tmp_path, "src/a.jpg")
    put_table(tmp_path / "src/landmarks.txt", "b.jpg")
    mine = put_table(tmp_path / "mine.txt", "a.jpg")
    assert find_photographs(tmp_path / "src", landmarks=mine).table == mine


def test_detection_needs_no_table_and_reads_none(tmp_path):
    put(tmp_path, "b.jpg", "a.webp")
    (tmp_path / "landmarks.txt").write_text("no table")
    found = find_photographs(tmp_path, landmarks="detect")
    assert [(item.key, item.landmarks, item.problem) for item in found] == [
        ("a", None, None),
        ("b", None, None),
    ]
    assert found.table is None


def test_rows_and_pictures_without_the_other_are_kept_with_the_reason(tmp_path):
    put(tmp_path, "a.jpg", "b.jpg")
    put_table(tmp_path / "landmarks.txt", "a.jpg", "c.jpg")
    found = find_photographs(tmp_path)
    reasons = {item.key: item.problem for item in found}
    assert list(reasons) == ["a", "b", "c"]
    assert reasons["a"] is None
    assert reasons["b"].startswith("no landmarks: ")
    assert reasons["c"].startswith("no picture: ")
    assert found.without_picture == ("c",)
    assert found.without_row == ("b",)


def test_a_bad_row_becomes_its_photographs_problem(tmp_path):
    put(tmp_path, "a.jpg", "b.jpg")
    table = put_table(tmp_path / "landmarks.txt", "a.jpg")
    table.write_text(table.read_text() + "b.jpg 1 2 3\n")
    found = find_photographs(tmp_path)
    assert "line 4: 3 numbers" in found.photographs[1].problem
    assert "line 1 states 1 rows, 2 were found" in found.notes[0]


def test_a_row_is_matched_without_regard_to_the_extension_unless_that_is_ambiguous(tmp_path):
    put(tmp_path, "a.png", "b.png")
    put_table(tmp_path / "landmarks.txt", "a.jpg", "b.jpg", "b.png")
    first, second = find_photographs(tmp_path)
    assert first.problem is None
    assert "several rows for b" in second.problem
    assert second.landmarks is None


def test_two_pictures_of_one_key_are_refused_by_name(tmp_path):
    put(tmp_path, "x/a.jpg", "x/a.png", "y/a.png")
    with pytest.raises(DataError, match=r"x/a\.jpg and .*x/a\.png"):
        find_photographs(tmp_path, landmarks="detect")


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    put(tmp_path, "a.jpg", "locked/b.jpg")
    scandir = os.scandir

    def refuse(folder):  # permissions would not stop a test that runs as root
        if str(folder) == str(tmp_path / "locked"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(
        DataError, match=r"/locked: the folder cannot be read \(Permission denied\)"
    ):
        find_photographs(tmp_path, landmarks="detect")


def test_every_extension_that_a_data_set_takes_is_a_photographs_too(tmp_path):
    names = [f"{extension[1:]}{extension}" for extension in PICTURE_EXTENSIONS]
    put(tmp_path, *names, "capitals.JFIF")
    found = find_photographs(tmp_path, landmarks="detect")
    assert {item.path.name for item in found} == {*names, "capitals.JFIF"}
    assert found.notes == ()
    assert {".avif", ".jfif", ".jpe"} <= PICTURE_EXTENSIONS


@pytest.mark.parametrize("page", ["landmarks.md", "formats.md"])
def test_the_documents_list_every_extension(page):
    text = (Path(__file__).parents[2] / "docs" / page).read_text()
    assert [extension for extension in PICTURE_EXTENSIONS if extension not in text] == []


def test_files_that_are_no_pictures_are_counted(tmp_path):
    put(tmp_path, "a.jpg", "b.heic", "c.heic", "README")
    (note,) = find_photographs(tmp_path, landmarks="detect").notes
    assert "3 files are no pictures by their extension (2 .heic, 1 no extension)" in note


def test_a_source_that_is_none_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        find_photographs(tmp_path / "none")
    with pytest.raises(UsageError, match="is a file"):
        find_photographs(put(tmp_path, "a.jpg") / "a.jpg")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty; expected photographs: .*\.jpg"):
        find_photographs(tmp_path / "empty")
    with pytest.raises(DataError, match=r"1 \.heic"):
        find_photographs(put(tmp_path / "phone", "b.heic"))


def test_no_table_says_what_was_looked_for_and_what_to_do(tmp_path):
    put(tmp_path, "a.jpg")
    with pytest.raises(DataError) as caught:
        find_photographs(tmp_path)
    for part in ("list_landmarks_celeba.txt", "landmarks.csv", str(tmp_path / "Anno"), "detect"):
        assert part in str(caught.value)


def test_a_table_of_other_pictures_shows_one_name_of_each(tmp_path):
    put(tmp_path, "photos/a.jpg")
    put_table(tmp_path / "landmarks.txt", "a.jpg")
    with pytest.raises(
        DataError, match=r"first row is 'a\.jpg', the first picture 'photos/a\.jpg'"
    ):
        find_photographs(tmp_path)


def test_packed_photographs_say_how_to_unpack_and_which_parts_are_missing(tmp_path):
    src = tmp_path / "my celeba"
    parts = [f"Img/img_celeba.7z/img_celeba.7z.{n:03d}" for n in range(1, 15) if n != 7]
    put(src, *parts)
    put_table(src / "Anno/list_landmarks_celeba.txt", "000001.jpg")
    with pytest.raises(DataError) as caught:
        find_photographs(src)
    message = str(caught.value)
    assert f"7z x '-o{src}' '{src}/{parts[0]}'" in message
    assert "are missing: img_celeba.7z.007; get" in message
    assert f"this makes {src / 'img_celeba'}" in message


def test_the_aligned_pictures_and_their_table_are_refused_with_the_reason(tmp_path):
    put(tmp_path, "Img/img_align_celeba/000001.jpg")
    with pytest.raises(DataError, match="178x218"):
        find_photographs(tmp_path)
    with pytest.raises(DataError, match="178x218"):
        find_photographs(tmp_path / "Img/img_align_celeba", landmarks="detect")
    put(tmp_path, "img_celeba/000001.jpg")
    table = put_table(tmp_path / "Anno/list_landmarks_align_celeba.txt", "000001.jpg")
    for choice in ("annotations", table):
        with pytest.raises(DataError, match=r"list_landmarks_align_celeba\.txt: .*178x218"):
            find_photographs(tmp_path, landmarks=choice)
    put_table(tmp_path / "Anno/list_landmarks_celeba.txt", "000001.jpg")
    assert len(find_photographs(tmp_path)) == 1


def test_keys_are_names_without_a_pictures_extension():
    assert key_of("000001.jpg") == "000001"
    assert key_of("sub/photo.v2.JPEG") == "sub/photo.v2"
    assert key_of("photo.v2") == "photo.v2"
    assert key_of("été.jpg") == "été"
    assert key_of(os.fsdecode(b"\xe9t\xe9.jpg")) == r"\xe9t\xe9"


@pytest.mark.shared_data
def test_the_real_photographs_are_all_paired(shared_data):
    found = find_photographs(shared_data / "celeba_wild")
    assert len(found) == 83
    assert all(item.problem is None and item.path.is_file() for item in found)
    assert np.array_equal(found.photographs[0].landmarks[:2], [[225, 134], [286, 133]])
