import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pgan_toolkit.celebahq.geometry import crop_quad
from pgan_toolkit.celebahq.landmarks import (
    COLUMNS,
    LandmarkTable,
    check_landmarks,
    format_landmarks,
    read_landmarks,
    write_landmarks,
)
from pgan_toolkit.errors import DataError

# The opening of CelebA's own table.
CELEBA = """202599
lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y
000001.jpg 165  184  244  176  196  249  194  271  266  260
000002.jpg 140  204  220  204  168  254  146  289  226  289
"""  # noqa: E501 - as it is in the file
FIRST = [[165, 184], [244, 176], [196, 249], [194, 271], [266, 260]]
UPRIGHT = np.array([[40, 40], [60, 40], [50, 50], [42, 60], [58, 60]], np.float32)


def moved(x: float, y: float) -> np.ndarray:
    return UPRIGHT + np.array([x, y], np.float32)


def table_of(tmp_path: Path, text: str, name: str = "table.txt") -> LandmarkTable:
    (tmp_path / name).write_text(text)
    return read_landmarks(tmp_path / name)


def rows_of(*rows: str) -> str:
    return "\n".join([str(len(rows)), " ".join(COLUMNS), *rows]) + "\n"


def test_reads_celebas_own_text(tmp_path):
    table = table_of(tmp_path, CELEBA)
    assert list(table) == ["000001.jpg", "000002.jpg"]
    assert table["000001.jpg"].dtype == np.float32
    assert table["000001.jpg"].tolist() == FIRST
    assert table.problems == {}
    assert "states 202599 rows, 2 were found" in table.notes[0]


def test_reads_line_ends_of_other_systems_a_byte_order_mark_and_decimals(tmp_path):
    text = "\ufeff" + rows_of("a.jpg 1.5 2 3 4 5 6 7 8 -9 1e1").replace("\n", "\r\n")
    (tmp_path / "t.txt").write_bytes(text.encode())
    table = read_landmarks(tmp_path / "t.txt")
    assert table["a.jpg"].tolist() == [[1.5, 2], [3, 4], [5, 6], [7, 8], [-9, 10]]
    assert table.notes == ()


def test_reads_csv_in_any_order_of_columns(tmp_path):
    header = ",".join([*reversed(COLUMNS), "note", "file"])
    table = table_of(tmp_path, f'{header}\n10,9,8,7,6,5,4,3,2,1,x,"my photo.jpg"\n', "t.csv")
    assert table["my photo.jpg"].ravel().tolist() == list(range(1, 11))


@pytest.mark.parametrize("name", ["t.csv", "t.txt"])
def test_csv_is_told_by_its_content_too(tmp_path, name):
    text = "image_id," + ",".join(COLUMNS) + "\nb.jpg,1,2,3,4,5,6,7,8,9,10\nc.jpg,1,2\n"
    table = table_of(tmp_path, text, name)
    assert list(table) == ["b.jpg"]
    assert "line 3: 2 numbers (1 2); expected ten" in table.problems["c.jpg"]


@pytest.mark.parametrize("name", ["t.json", "t.txt"])
def test_reads_json(tmp_path, name):
    table = table_of(tmp_path, json.dumps({"000001.jpg": FIRST}), name)
    assert table["000001.jpg"].tolist() == FIRST


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("b.jpg 1 2 3", "3 numbers (1 2 3); expected ten numbers"),
        ("b.jpg", "0 numbers"),
        ("b.jpg 1 2 3 4 5 6 7 8 9 10 11", "11 numbers"),
        ("b.jpg 1 2 3 4 5 6 seven 8 9 10", "'seven' is not a number"),
        ("b.jpg 1 2 3 4 5 6 nan 8 9 10", "'nan' is not a position"),
        ("b.jpg 1 2 3 4 5 6 7 8 9 inf", "'inf' is not a position"),
        ("b.jpg 1 2 3 4 5 6 7 8 9 1e39", "'1e39' is not a position"),
    ],
)
def test_a_bad_row_is_kept_with_its_reason_and_the_others_are_read(tmp_path, row, said):
    good = "{}.jpg 1 2 3 4 5 6 7 8 9 10"
    table = table_of(tmp_path, rows_of(good.format("a"), row, good.format("c")))
    assert list(table) == ["a.jpg", "c.jpg"]
    assert said in table.problems["b.jpg"]
    assert f"{tmp_path / 'table.txt'}, line 4" in table.problems["b.jpg"]


@pytest.mark.parametrize(
    "points", [None, True, 7, [], FIRST[:4], [[1, 2, 3]] * 5, [[1, None]] * 5, [[True, 2]] * 5]
)
def test_a_bad_json_entry_is_kept_with_its_reason(tmp_path, points):
    table = table_of(tmp_path, json.dumps({"a.jpg": FIRST, "b.jpg": points}), "t.json")
    assert list(table) == ["a.jpg"]
    assert "entry 'b.jpg'" in table.problems["b.jpg"]
    assert "expected ten numbers" in table.problems["b.jpg"]


def test_two_rows_for_one_file_are_an_ambiguity(tmp_path):
    row = "a.jpg 1 2 3 4 5 6 7 8 9 10"
    table = table_of(tmp_path, rows_of(row, row))
    assert len(table) == 0
    assert "line 4: a second row for a.jpg; the first is" in table.problems["a.jpg"]
    twice = '{"a.jpg": [[1,2],[3,4],[5,6],[7,8],[9,9]], "a.jpg": []}'
    assert "second" in table_of(tmp_path, twice, "t.json").problems["a.jpg"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: ''; expected the number of rows"),
        ("a.jpg 1 2 3 4 5 6 7 8 9 10\n", "line 1: 'a.jpg 1 2"),
        ("1\n", "line 2"),
        ("1\na.jpg 1 2 3 4 5 6 7 8 9 10\n", "line 2"),
        ("1\nimage_id x_1 y_1 width height\n000001.jpg 95 71 226 313\n", "image_id x_1"),
        (f"0\n{' '.join(COLUMNS)}\n", "has no rows"),
        ("file,x,y\na.jpg,1,2\n", "line 1"),
        ("{", "not JSON"),
        ("{} 1", "not JSON"),
        ("{}", "has no rows"),
    ],
)
def test_a_file_that_is_no_table_is_refused_by_name(tmp_path, text, said):
    with pytest.raises(DataError, match=r"table\.txt") as caught:
        table_of(tmp_path, text)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["[1, 2]", "3", "[" * 100_000])
def test_json_of_another_shape_is_refused(tmp_path, text):
    with pytest.raises(DataError, match=r"t\.json"):
        table_of(tmp_path, text, "t.json")


def test_binary_missing_and_broken_csv_files_are_refused(tmp_path):
    (tmp_path / "t.txt").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(DataError, match="not text"):
        read_landmarks(tmp_path / "t.txt")
    with pytest.raises(DataError, match="cannot be read"):
        read_landmarks(tmp_path / "none.txt")
    with pytest.raises(DataError, match=r"t\.csv"):
        table_of(tmp_path, f"file,{','.join(COLUMNS)}\n{'x' * 200_000}\n", "t.csv")


def test_writes_celebas_layout_to_the_byte(tmp_path):
    write_landmarks(tmp_path / "t.txt", {"a.jpg": UPRIGHT, "b.jpg": UPRIGHT + np.float32(0.25)})
    assert (tmp_path / "t.txt").read_text() == (
        "2\n"
        "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y "
        "rightmouth_x rightmouth_y\n"
        "a.jpg 40 40 60 40 50 50 42 60 58 60\n"
        "b.jpg 40.25 40.25 60.25 40.25 50.25 50.25 42.25 60.25 58.25 60.25\n"
    )


@given(
    points=arrays(np.float32, (5, 2), elements=st.floats(-9999, 9999, width=32)),
)
def test_what_is_written_is_read_back_exactly(tmp_path_factory, points):
    path = tmp_path_factory.mktemp("t") / "t.txt"
    write_landmarks(path, {"a.jpg": points})
    assert np.array_equal(read_landmarks(path)["a.jpg"], points)


@pytest.mark.parametrize("name", ["my photo.jpg", "", "a\tb.jpg"])
def test_names_that_the_layout_cannot_hold_are_refused(name):
    with pytest.raises(DataError, match="white space"):
        format_landmarks({name: UPRIGHT})


def test_numbers_that_are_not_finite_are_not_written():
    with pytest.raises(DataError, match="finite"):
        format_landmarks({"a.jpg": UPRIGHT * np.float32(np.nan)})


def test_a_face_within_or_a_little_outside_the_picture_is_usable():
    assert check_landmarks(UPRIGHT, size=(100, 100)) is None
    assert check_landmarks(moved(-65, 0), size=(100, 100)) is None
    assert check_landmarks(100 - UPRIGHT, size=(100, 100)) is None


@pytest.mark.parametrize(
    ("landmarks", "said"),
    [
        (UPRIGHT * np.float32(np.inf), "not all finite"),
        (np.repeat(UPRIGHT[:1], 5, axis=0), "coincide (0.00 px apart)"),
        (UPRIGHT / 10 + 40, "too small: its crop is 8.0 px wide"),
        (UPRIGHT * 100, "too large for the 100x120 picture"),
        (moved(-300, 0), "lies 250 px outside the 100x120 picture"),
        (moved(300, 400), "px outside"),
        (UPRIGHT[[1, 0, 2, 4, 3]], "exchanged"),
    ],
)
def test_unusable_landmarks_are_named_with_their_values(landmarks, said):
    with np.errstate(invalid="ignore"):
        reason = check_landmarks(landmarks.astype(np.float32), size=(120, 100))
    assert reason is not None
    assert said in reason


@given(
    points=arrays(np.float32, (5, 2), elements=st.floats(-300, 300, width=32)),
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
)
def test_usable_landmarks_give_a_crop_that_overlaps_the_picture(points, size):
    if check_landmarks(points, size=size) is None:
        quad = crop_quad(points)
        assert np.isfinite(quad).all()
        assert (quad.max(axis=0) > 0).all()
        assert (quad.min(axis=0) < size[::-1]).all()


@pytest.mark.shared_data
def test_every_landmark_of_the_real_photographs_is_usable(shared_data):
    quads = json.loads((shared_data.parent / "oracles" / "celebahq_quads.json").read_text())
    table = read_landmarks(shared_data / "celeba_wild" / "Anno" / "list_landmarks_celeba.txt")
    sizes = {item["file"]: item["size"][::-1] for item in quads}
    assert len(table) == 83
    assert table.notes == ()
    for file, points in table.items():
        assert check_landmarks(points, size=tuple(sizes[file])) is None
        assert points[0, 0] < points[1, 0]
