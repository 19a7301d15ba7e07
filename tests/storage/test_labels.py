import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.labels import check_label, format_labels, parse_labels


def test_literal_bytes() -> None:
    labels = [("00000/img00000001.png", 0), ("00000/img00000000.png", 3)]
    expected = b'{"labels": [["00000/img00000000.png", 3], ["00000/img00000001.png", 0]]}'
    assert format_labels(labels) == expected


def test_no_labels_are_null() -> None:
    assert format_labels([("a.png", None)]) == b'{"labels": null}'


def test_literal_is_read() -> None:
    literal = b'{"labels": [["00000/img00000000.png", 3], ["x.jpg", 0]]}'
    assert parse_labels(literal, name="x") == {"00000/img00000000.png": 3, "x.jpg": 0}


@pytest.mark.parametrize("literal", [b'{"labels": null}', b"{}", b'{"labels": []}'])
def test_absent_labels_are_read(literal: bytes) -> None:
    assert parse_labels(literal, name="x") == {}


@pytest.mark.parametrize(
    ("literal", "message"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "expected an object"),
        (b'{"labels": {"a": 1}}', '"labels" is no list'),
        (b'{"labels": [["a.png"]]}', "is not .file name, class index."),
        (b'{"labels": [["a.png", 1.5]]}', "is not .file name, class index."),
        (b'{"labels": [["a.png", [0, 1]]]}', "only class indices"),
        (b'{"labels": [["a.png", true]]}', "is not .file name, class index."),
        (b'{"labels": [["a.png", -1]]}', "is not .file name, class index."),
    ],
)
def test_damaged_label_files_are_refused(literal: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        parse_labels(literal, name="faces/dataset.json")
    assert str(caught.value).startswith("faces/dataset.json: ")


def test_negative_labels_are_refused() -> None:
    check_label(None, where="a")
    check_label(0, where="a")
    with pytest.raises(DataError, match="a: the label is -1"):
        check_label(-1, where="a")


@given(st.dictionaries(st.text(max_size=6), st.integers(0, 1000)))
def test_any_json_reader_gets_the_labels_back(labels: dict[str, int]) -> None:
    data = format_labels(labels.items())
    assert dict(json.loads(data)["labels"] or []) == labels
    assert parse_labels(data, name="x") == labels
