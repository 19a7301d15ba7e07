import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.keys import KeyRegister, check_key, index_pictures, numbered_key

GOOD_PART = st.text(string.ascii_letters + string.digits + "_- .é", min_size=1, max_size=12).filter(
    lambda part: not part.startswith(".")
)


@given(st.lists(GOOD_PART, min_size=1, max_size=4))
def test_ordinary_relative_paths_are_keys(parts: list[str]) -> None:
    check_key("/".join(parts), where="set")


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("a//b", "empty part"),
        ("a/", "empty part"),
        ("..", "starts with a dot"),
        ("a/../b", "starts with a dot"),
        ("./a", "starts with a dot"),
        ("a/.hidden", "starts with a dot"),
        ("a\\b", "backslash"),
        ("a\nb", "control character"),
        ("a\x00b", "control character"),
        ("a\x7f", "control character"),
        ("a\u2028b", "control character"),
        ("a\udc80", "UTF-8"),
        ("é" * 121, "240 bytes"),
    ],
)
def test_unsafe_keys_are_refused(key: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason) as caught:
        check_key(key, where="faces.zip")
    assert "faces.zip" in str(caught.value)


NOT_UTF_8 = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize(
    ("key", "name", "told"),
    [
        ("caf\\xe9", NOT_UTF_8, "is that of a file whose name is not UTF-8; .*: rename the file"),
        ("caf\\xe9", None, "backslash, as does that of a file whose name .*: rename the file"),
        ("caf\\xe9", "caf\\xe9.png", "holds a backslash; .*: rename it"),
        ("a\\caf\\xe9", f"a\\{NOT_UTF_8}", "holds a backslash; .*: rename it"),
        ("a\\caf\\xe9", None, "holds a backslash; .*: rename it"),
        ("a\\b", None, "holds a backslash; .*: rename it"),
        ("a\\x41", None, "holds a backslash; .*: rename it"),
        ("\\xc3\\xa9", None, "holds a backslash; .*: rename it"),  # "é", which is UTF-8
    ],
)
def test_a_name_that_is_not_utf_8_is_told_as_such(key: str, name: str | None, told: str) -> None:
    with pytest.raises(DataError, match=told):
        KeyRegister("set").add(key, name=name)


@given(st.text(max_size=8))
def test_a_key_never_leaves_its_folder(key: str) -> None:
    try:
        check_key(key, where="set")
    except DataError:
        return
    parts = key.split("/")
    assert all(part and not part.startswith(".") for part in parts)
    assert "\\" not in key
    assert key.isprintable() or not any(ord(character) < 32 for character in key)


def test_keys_that_differ_in_case_collide() -> None:
    register = KeyRegister("set")
    register.add("Faces/1")
    with pytest.raises(DataError, match="'Faces/1' and 'faces/1' have the same key"):
        register.add("faces/1")


def test_the_same_key_twice_collides() -> None:
    register = KeyRegister("set")
    register.add("a")
    with pytest.raises(DataError, match="same key"):
        register.add("a")


def test_index_is_sorted_by_key_and_leaves_out_the_rest() -> None:
    names = ["b.PNG", "a-b.jpg", "a.jpg", ".c.png", "x/.d/e.png", "dataset.json", "note.txt", "f"]
    index = index_pictures(names, where="set")
    assert index.keys == ("a", "a-b", "b")
    assert index.files == ("a.jpg", "a-b.jpg", "b.PNG")
    assert index.ignored == ("f", "note.txt")


def test_one_stem_with_two_extensions_is_refused_and_names_both() -> None:
    with pytest.raises(DataError, match=r"'a/1\.jpg' and 'a/1\.png'"):
        index_pictures(["a/1.png", "a/1.jpg"], where="set")


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "a\\b.png", "./a.png"])
def test_unsafe_members_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="expected a relative path"):
        index_pictures([name], where="set.zip")


@given(st.lists(st.integers(0, 10**8 - 1), min_size=2))
def test_numbered_keys_sort_as_their_numbers(numbers: list[int]) -> None:
    keys = sorted(numbered_key(number) for number in numbers)
    assert keys == [numbered_key(number) for number in sorted(numbers)]


def test_numbered_key_is_the_usual_one() -> None:
    assert numbered_key(12345) == "00012/img00012345"
