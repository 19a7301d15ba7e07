"""The restricted reader: it reads what was published, and runs nothing of what it is given."""

import collections
import os
import pickle
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from cifar_files import as_images, pictures, python_batch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgan_toolkit.errors import DataError
from pgan_toolkit.recipes.cifar_batches import read_binary_batch, read_python_batch
from pgan_toolkit.recipes.unpickling import Call, read_pickle

ROWS, LABELS = pictures(7)


def test_the_literal_of_python_2_is_read() -> None:
    batch = read_python_batch(python_batch(ROWS, LABELS), name="data_batch_1")
    assert np.array_equal(batch.images, as_images(ROWS))
    assert np.array_equal(batch.labels, LABELS)
    assert batch.images.dtype == np.uint8
    assert batch.images.flags.c_contiguous


def test_the_literal_is_what_pickle_itself_reads() -> None:
    content = pickle.loads(python_batch(ROWS, LABELS), encoding="latin1")
    assert np.array_equal(content["data"], ROWS)
    assert content["labels"] == LABELS.tolist()


@pytest.mark.parametrize("rows", [ROWS, np.asfortranarray(ROWS)], ids=["rows", "columns"])
def test_what_python_3_writes_is_read(rows: np.ndarray) -> None:
    content = {"labels": LABELS.tolist(), "data": rows}
    batch = read_python_batch(pickle.dumps(content, protocol=2), name="data_batch_1")
    assert np.array_equal(batch.images, as_images(ROWS))


def test_arrays_are_only_noted() -> None:
    found = read_pickle(pickle.dumps(np.zeros(3), protocol=2), name="x")
    assert isinstance(found, Call)
    assert found.text.endswith("multiarray _reconstruct")


class _Reduces:
    def __init__(self, *call: object) -> None:
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


def _nested(depth: int) -> bytes:
    """A tuple in a tuple in a tuple ..., as a key of a dict: hashing it would exhaust the stack."""
    return b"\x80\x02})" + b"\x85" * depth + b"K\x00s."


HOSTILE = {
    "os.system": lambda path: pickle.dumps(_Reduces(os.system, f"touch {path}"), protocol=2),
    "eval": lambda path: pickle.dumps(_Reduces(eval, f"open({str(path)!r}, 'w')"), protocol=2),
    "exec": lambda path: pickle.dumps(_Reduces(exec, f"open({str(path)!r}, 'w')"), protocol=2),
    "getattr": lambda path: pickle.dumps(_Reduces(getattr, "a", "upper"), protocol=2),
    "protocol 0": lambda path: f"cos\nsystem\n(S'touch {path}'\ntR.".encode(),
    "protocol 4": lambda path: pickle.dumps(_Reduces(os.system, f"touch {path}"), protocol=4),
    "INST": lambda path: f"(S'touch {path}'\nios\nsystem\n.".encode(),
    "OBJ": lambda path: f"(cos\nsystem\nS'touch {path}'\no.".encode(),
    "NEWOBJ": lambda path: pickle.dumps(collections.OrderedDict(a=1), protocol=2),
    "hidden in a batch": lambda path: pickle.dumps(
        {"data": ROWS, "labels": _Reduces(os.system, f"touch {path}")}, protocol=2
    ),
    "numpy's own": lambda path: b"\x80\x02cnumpy\nload\nU\x05a.npy\x85R.",
    "numpy's attribute": lambda path: b"\x80\x02cnumpy\nndarray.tofile\n.",
    "numpy's core": lambda path: b"\x80\x02cnumpy.core.multiarray\nfromfile\n.",
    "codec": lambda path: b"\x80\x02c_codecs\ndecode\n.",
    "persistent": lambda path: b"\x80\x02K\x01Q.",
    "persistent 0": lambda path: b"Pabc\n.",
    "extension": lambda path: b"\x80\x02\x82\x01.",
    "changes a name": lambda path: b"\x80\x02cnumpy\nndarray\n}U\x01aK\x01sb.",
    "sets an attribute": lambda path: b"\x80\x02cnumpy\nndarray\nN}U\x04textU\x01as\x86b.",
    "memory places": lambda path: b"\x80\x02Nr\xff\xff\xff\xff.",
    "memory places, fewer": lambda path: b"\x80\x02Nr\x00\x00\x00\x10.",
    "8 exabytes": lambda path: b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"a.",
    "2 gigabytes": lambda path: b"\x80\x02T" + struct.pack("<i", 2**31 - 1) + b"a.",
    "negative length": lambda path: b"\x80\x02T" + struct.pack("<i", -1) + b"a.",
    "a frame of exabytes": lambda path: b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.",
    "a long number": lambda path: b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"a.",
    "deep tuples": lambda path: _nested(200_000),
    "deep lists": lambda path: b"\x80\x02" + b"](" * 100_000 + b"N" + b"e" * 100_000 + b".",
    "millions of lists": lambda path: b"\x80\x02" + b"]" * 3_000_000 + b".",
    "millions of numbers": lambda path: b"\x80\x02](" + b"K\x01" * 3_000_000 + b"e.",
    "nothing": lambda path: b"",
    "no end": lambda path: b"\x80\x02K\x01",
    "unknown protocol": lambda path: b"\x80\x63K\x01.",
    "empty stack": lambda path: b"\x80\x02.",
    "no mark": lambda path: b"\x80\x02]K\x01e.",
    "no such memory": lambda path: b"\x80\x02h\x05.",
    "calls a number": lambda path: b"\x80\x02K\x01)R.",
    "text": lambda path: b"<html>404</html>",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_pickles_are_refused_and_nothing_runs(what: str, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    data = HOSTILE[what](trace)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"bad\.file: .*get it again"):
            read_python_batch(data, name="bad.file")
        assert tracemalloc.get_traced_memory()[1] < 3 * len(data) + 20 * 2**20
    finally:
        tracemalloc.stop()
    assert not trace.exists()


def test_a_list_that_holds_itself_is_no_batch() -> None:
    with pytest.raises(DataError, match="no dict"):
        read_python_batch(b"\x80\x02]q\x00h\x00a.", name="x")


def _batch(**changes: object) -> bytes:
    content: dict[str, object] = {"data": ROWS, "labels": LABELS.tolist()}
    return pickle.dumps(content | changes, protocol=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": [1.5] * 7}, "refused as a pickle"),  # no fractions in the published files
        ({"labels": ["1"] * 7}, "no list of whole numbers"),
        ({"labels": [True] * 7}, "no list of whole numbers"),
        ({"labels": 7}, "no list of whole numbers"),
        ({"labels": [10] * 7}, "labels from 0 to 9"),
        ({"labels": [-1] * 7}, "labels from 0 to 9"),
        ({"labels": []}, "labels from 0 to 9"),
        ({"labels": [1] * 6}, r"shape \(7, 3072\).*\(6, 3072\)"),
        ({"data": ROWS[:, :-1]}, r"shape \(7, 3071\)"),
        ({"data": ROWS.astype(np.int16)}, "does not hold bytes"),
        ({"data": ROWS.astype(object)}, "."),
        ({"data": ROWS[0]}, "no numpy array"),
        ({"data": ROWS.tolist()[:1]}, "no numpy array"),
        ({"data": "x"}, "no numpy array"),
        ({"data": np.dtype("u1")}, "no numpy array"),
    ],
)
def test_other_contents_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_python_batch(_batch(**changes), name="data_batch_1")


@pytest.mark.parametrize("content", [[], {"data": 1}, "x", {1: 2}])
def test_pickles_without_a_batch_are_refused(content: object) -> None:
    with pytest.raises(DataError, match="no dict of 'data' and 'labels'"):
        read_python_batch(pickle.dumps(content, protocol=2), name="data_batch_1")


def test_a_shape_larger_than_its_bytes_is_not_allocated() -> None:
    good = python_batch(ROWS, LABELS)
    assert good.count(b"M\x07\x00M\x00\x0c\x86") == 1
    for shape in (b"J\xff\xff\xff\x7fM\x00\x0c\x86", b"J\xff\xff\xff\xffM\x00\x0c\x86"):
        with pytest.raises(DataError, match="shape"):
            read_python_batch(good.replace(b"M\x07\x00M\x00\x0c\x86", shape), name="x")


GOOD = python_batch(*pictures(2))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 400) | st.integers(len(GOOD) - 200, len(GOOD) - 1), st.binary(max_size=6)
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 60),
)
def test_any_change_of_a_batch_gives_a_batch_or_a_data_error(
    edits: list[tuple[int, bytes]], cut: int
) -> None:
    data = bytearray(GOOD)
    for place, new in edits:
        data[place : place + len(new)] = new
    try:
        batch = read_python_batch(bytes(data[: len(data) - cut]), name="x")
    except DataError:
        return
    assert batch.images.shape == (len(batch.labels), 32, 32, 3)
    assert batch.labels.max() <= 9


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_batch_or_a_data_error(data: bytes) -> None:
    for read in (read_python_batch, read_binary_batch):
        with pytest.raises(DataError, match="x: "):
            read(data, name="x")
        with pytest.raises(DataError, match="x: "):
            read(b"\x80\x02" + data, name="x")
