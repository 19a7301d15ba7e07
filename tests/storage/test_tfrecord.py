"""TFRecord: checksums, what TensorFlow's formats hold, both layouts, damaged and hostile files."""

import io
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_sets import picture, records, same, written

from pgan_toolkit.errors import DataError, PganError
from pgan_toolkit.imaging import encode_png
from pgan_toolkit.storage import Record, guess_format, open_sink, open_source
from pgan_toolkit.storage.crc32c import crc32c, masked_crc32c
from pgan_toolkit.storage.tfrecord_examples import find_features, format_example
from pgan_toolkit.storage.tfrecord_files import write_record

PNG = encode_png(picture(0))
# Example {features {feature {key: "label" value {int64_list {value: 7}}}}}, by hand.
LITERAL = bytes.fromhex("0a10 0a0e 0a05 6c6162656c 1205 1a03 0a01 07")


def framed(*contents: bytes) -> bytes:
    file = io.BytesIO()
    for content in contents:
        write_record(file, content)
    return file.getvalue()


def example_class() -> Any:
    """The messages of TensorFlow's Example, made by the protobuf package."""
    descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2")
    descriptor_pool = pytest.importorskip("google.protobuf.descriptor_pool")
    message_factory = pytest.importorskip("google.protobuf.message_factory")

    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="t", syntax="proto3")
    text = descriptor_pb2.FieldDescriptorProto
    for name, kind in (("Bytes", text.TYPE_BYTES), ("Float", text.TYPE_FLOAT),
                       ("Int64", text.TYPE_INT64)):  # fmt: skip
        message = file.message_type.add(name=f"{name}List")
        message.field.add(name="value", number=1, type=kind, label=text.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(("Bytes", "Float", "Int64"), 1):
        feature.field.add(name=f"{name.lower()}_list", number=number, type=text.TYPE_MESSAGE,
                          type_name=f".t.{name}List", oneof_index=0,
                          label=text.LABEL_OPTIONAL)  # fmt: skip
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=text.TYPE_STRING, label=text.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=text.TYPE_MESSAGE, type_name=".t.Feature",
                    label=text.LABEL_OPTIONAL)  # fmt: skip
    features.field.add(name="feature", number=1, type=text.TYPE_MESSAGE,
                       type_name=".t.Features.FeatureEntry",
                       label=text.LABEL_REPEATED)  # fmt: skip
    example = file.message_type.add(name="Example")
    example.field.add(name="features", number=1, type=text.TYPE_MESSAGE, type_name=".t.Features",
                      label=text.LABEL_OPTIONAL)  # fmt: skip
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Example"))


def by_protobuf(**features: bytes | float | Sequence[int]) -> bytes:
    example = example_class()()
    for name, value in features.items():
        feature = example.features.feature[name.replace("__", "/")]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        elif isinstance(value, float):
            feature.float_list.value.append(value)
        else:
            feature.int64_list.value.extend(value)
    return bytes(example.SerializeToString())


@pytest.mark.parametrize(
    ("data", "expected"),
    [  # RFC 3720, appendix B.4, and the usual check value
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_checksum_has_published_values(data: bytes, expected: int) -> None:
    assert crc32c(data) == expected


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 1024, 4099, 65536, 65537])
def test_checksum_is_that_of_tensorboard(size: int) -> None:
    other = pytest.importorskip("tensorboard.compat.tensorflow_stub.pywrap_tensorflow")
    data = np.random.default_rng(size).bytes(size)
    assert crc32c(data) == other.crc32c(data)
    assert masked_crc32c(data) == other.masked_crc32c(data)


def test_an_example_by_hand() -> None:
    assert find_features(memoryview(LITERAL), name="a").integers == {"label": (7,)}
    assert format_example({"label": [7]}) == LITERAL


@settings(max_examples=50, deadline=None)
@given(
    contents=st.dictionaries(st.text(max_size=5), st.binary(max_size=200), max_size=4),
    integers=st.lists(st.integers(0, 2**63 - 1), max_size=5),
)
def test_examples_are_those_of_protobuf(contents: dict[str, bytes], integers: list[int]) -> None:
    features: dict[str, Any] = {**contents, "shape": integers}
    ours = format_example(features)
    parsed = example_class().FromString(ours)
    got = {
        name: list(f.int64_list.value) if f.HasField("int64_list") else f.bytes_list.value[0]
        for name, f in parsed.features.feature.items()
    }
    assert got == features
    found = find_features(memoryview(parsed.SerializeToString()), name="a")
    assert {name: bytes(value) for name, value in found.contents.items()} == {
        name: value for name, value in contents.items() if name != "shape"
    }
    assert found.integers == {"shape": tuple(integers)}


def test_negative_integers_are_read() -> None:
    found = find_features(memoryview(by_protobuf(a=[-1, 3], b=0.5)), name="a")
    assert found.integers == {"a": (-1, 3)}


def test_what_tensorboard_frames_is_read_and_the_reverse(tmp_path: Path) -> None:
    module = pytest.importorskip("tensorboard.summary.writer.record_writer")
    reading = pytest.importorskip("tensorboard.compat.tensorflow_stub.pywrap_tensorflow")
    image = picture(4, height=6, width=5)
    example = by_protobuf(shape=[3, 6, 5], data=image.transpose(2, 0, 1).tobytes())
    with (tmp_path / "a.tfrecords").open("wb") as file:
        module.RecordWriter(file).write(example)
    assert same(open_source(tmp_path / "a.tfrecords"), [Record("00000/img00000000", image)])
    assert (tmp_path / "a.tfrecords").read_bytes() == framed(example)
    reader = reading.PyRecordReader_New(str(tmp_path / "a.tfrecords"))
    reader.GetNext()
    assert reader.record() == example


def test_the_layout_of_progressive_growing_is_written(tmp_path: Path) -> None:
    rows = records(5, size=16)
    path = written(tmp_path / "faces", rows, "tfrecord")
    assert sorted(file.name for file in path.iterdir()) == [
        "faces-r02.tfrecords",
        "faces-r03.tfrecords",
        "faces-r04.tfrecords",
        "faces-rxx.labels",
    ]
    assert same(open_source(path), rows)
    assert open_source(path).info(0).encoding == "pixels"
    assert open_source(path).encoded(0) is None
    labels = np.load(path / "faces-rxx.labels", allow_pickle=False)
    assert labels.dtype == np.float32
    assert labels.tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]]
    for size in (4, 8):
        half = open_source(path / f"faces-r0{size.bit_length() - 1}.tfrecords")
        assert half.labels() == open_source(path).labels()
        for small, row in zip(half, rows, strict=True):
            blocks = row.image.reshape(size, 16 // size, size, 16 // size, 3)
            assert np.array_equal(small.image, np.rint(blocks.mean((1, 3))))


def test_a_folder_named_as_a_file_and_sets_without_labels(tmp_path: Path) -> None:
    assert guess_format("a/b.tfrecords") == "tfrecord"
    with open_sink(tmp_path / "a.tfrecords") as sink:
        sink.write(Record("x", picture(0)))
    names = sorted(file.name for file in (tmp_path / "a.tfrecords").iterdir())
    assert names == ["a-r02.tfrecords", "a-r03.tfrecords"]
    assert same(open_source(tmp_path / "a.tfrecords"), [Record("x", picture(0))])


def test_the_same_records_give_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        written(tmp_path / name / "set", records(), "tfrecord")
    for file in (tmp_path / "a" / "set").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / "set" / file.name).read_bytes()


def test_pictures_of_other_shapes_are_refused(tmp_path: Path) -> None:
    for image in (
        picture(0, width=16),
        picture(0, height=2, width=2),
        picture(0, height=12, width=12),
    ):
        with pytest.raises(DataError, match="takes squares of 4, 8"):
            written(tmp_path / "a", [Record("a", image)], "tfrecord")
    rows = [Record("a", picture(0)), Record("b", picture(0, height=16, width=16))]
    with pytest.raises(DataError, match="b has 16x16 pixels where the pictures before it have 8x8"):
        written(tmp_path / "a", rows, "tfrecord")
    assert not any(tmp_path.iterdir())


def test_records_of_picture_files(tmp_path: Path) -> None:
    first = by_protobuf(image__encoded=PNG, image__class__label=[4], image__height=[8])
    second = by_protobuf(image_raw=PNG, label=[-1], score=0.25)
    (tmp_path / "a.tfrecord-00000-of-00002").write_bytes(framed(first))
    (tmp_path / "a.tfrecord-00001-of-00002").write_bytes(framed(second))
    source = open_source(tmp_path)
    expected = [Record("00000/img00000000", picture(0), 4), Record("00000/img00000001", picture(0))]
    assert same(source, expected)
    assert source.encoded(1) == PNG
    assert source.info(0).encoding == "PNG"
    assert source.name(1) == f"{tmp_path / 'a.tfrecord-00001-of-00002'}: record 0"


def test_one_channel_is_replicated(tmp_path: Path) -> None:
    grey = picture(0)[..., 0]
    example = format_example({"shape": (1, 8, 8), "data": grey.tobytes()})
    (tmp_path / "a-r03.tfrecords").write_bytes(framed(example))
    assert np.array_equal(open_source(tmp_path)[0].image, np.stack([grey] * 3, -1))


def test_two_sets_in_a_folder_are_not_mixed(tmp_path: Path) -> None:
    for name in ("a-r03", "b-r03"):
        (tmp_path / f"{name}.tfrecords").write_bytes(framed(b""))
    with pytest.raises(DataError, match="several sets, a, b; name a file"):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((3, 2), np.float32), r"float32 \(3, 2\); expected 2 one-hot"),
        (np.array([[1, 1], [0, 1]], np.float32), "not one-hot"),
        (np.array([[0.5, 0], [0, 1]], np.float32), "not one-hot"),
        (np.array([["a"], ["b"]]), "expected 2 one-hot"),
        (np.array([-1, 0]), "not one-hot"),
    ],
)
def test_labels_that_are_no_classes_are_refused(
    tmp_path: Path, labels: "np.ndarray[Any, Any]", message: str
) -> None:
    path = written(tmp_path / "a", records(2), "tfrecord")
    with (path / "a-rxx.labels").open("wb") as file:
        np.save(file, labels)
    with pytest.raises(DataError, match=rf"a-rxx\.labels: .*{message}.*rename the file"):
        open_source(path)


def test_labels_of_no_classes_and_plain_indices(tmp_path: Path) -> None:
    path = written(tmp_path / "a", records(2), "tfrecord")
    for labels, expected in ((np.zeros((2, 0), np.float32), [None, None]), (np.arange(2), [0, 1])):
        with (path / "a-rxx.labels").open("wb") as file:
            np.save(file, labels)
        assert list(open_source(path).labels()) == expected


def test_labels_that_would_fill_the_disk_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="more than 2 GiB"):
        written(tmp_path / "a", [Record("a", picture(0), 10**9)], "tfrecord")
    assert not any(tmp_path.iterdir())


def test_a_damaged_or_cut_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecords"
    example = format_example({"shape": (3, 8, 8), "data": bytes(192)})
    whole = framed(example, example, example)
    size = len(whole) // 3
    for length in (size + 3, size + 12, size + 50, 2 * size - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"a\.tfrecords: record 1 is damaged or incomplete"):
            open_source(path)
    path.write_bytes(whole[:size] + b"\x01" + whole[size + 1 :])
    with pytest.raises(DataError, match=r"record 1 .*its length fails its checksum"):
        open_source(path)
    path.write_bytes(whole[: size + 100] + b"\x01" + whole[size + 101 :])
    source = open_source(path)
    assert source[0].image.shape == (8, 8, 3)
    with pytest.raises(DataError, match=r"record 1 .*its data fail their checksum"):
        _ = source[1]


def test_a_length_of_exabytes_is_refused(tmp_path: Path) -> None:
    length = struct.pack("<Q", 2**62)
    path = tmp_path / "a.tfrecords"
    path.write_bytes(length + struct.pack("<I", masked_crc32c(length)) + bytes(100))
    with pytest.raises(DataError, match=r"record 0 .*the file ends within it"):
        open_source(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x0a\xff\xff\xff\xff\x7f", "a field of 34,359,738,367 bytes"),
        (b"\xff" * 20, "a number without an end"),
        (b"\x0b", "wire type 3"),
        (format_example({}), "no picture among the features none"),
        (format_example({"x": b"", "y": [1]}), "no picture among the features x, y"),
        (format_example({"data": bytes(3), "shape": [3, 2, 2]}), r"3 bytes of data and .*3, 2, 2"),
        (format_example({"data": bytes(3), "shape": [2**62] * 3}), "3 bytes of data"),
        (format_example({"data": bytes(4), "shape": [4, 1, 1]}), "4 bytes of data"),
        (format_example({"data": b"", "shape": [3, 0, 1]}), "0 bytes of data"),
        (format_example({"image": b"GIF89a"}), "record 0"),
        (format_example({"image": PNG, "pgan_toolkit_key": b"../a"}), "starts with a dot"),
    ],
)
def test_other_records_say_what_they_are(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.tfrecords").write_bytes(framed(content))
    with pytest.raises(DataError, match=message):
        _ = open_source(tmp_path / "a.tfrecords")[0]


def test_compressed_files_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.tfrecords").write_bytes(b"\x1f\x8b" + bytes(50))
    with pytest.raises(DataError, match="unpack it with gunzip"):
        open_source(tmp_path / "a.tfrecords")


def test_contents_decide_not_the_extension(tmp_path: Path) -> None:
    example = format_example({"shape": (3, 8, 8), "data": bytes(192)})
    (tmp_path / "a.dat").write_bytes(framed(example))
    assert open_source(tmp_path / "a.dat").format == "tfrecord"


@settings(max_examples=200, deadline=None)
@given(
    place=st.integers(0, 2000),
    value=st.binary(min_size=1, max_size=8),
    cut=st.booleans(),
    mended=st.booleans(),
)
def test_mutated_records_raise_errors_that_were_foreseen(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: bytes, cut: bool, mended: bool
) -> None:
    """Bytes within the records too, under checksums that are right."""
    example = bytearray(format_example({"label": [3], "shape": (3, 8, 8), "data": bytes(192)}))
    if mended:
        example[place % 40 : place % 40 + len(value)] = value
    data = bytearray(framed(bytes(example), format_example({"image/encoded": PNG})))
    if not mended:
        data[place : place + len(value)] = value
    path = tmp_path_factory.mktemp("fuzz") / "a.tfrecords"
    path.write_bytes(data[:place] if cut else data)
    try:
        for record in open_source(path):
            assert record.image.shape[2] == 3
    except PganError:
        pass


@pytest.mark.shared_data
def test_real_pictures_survive(shared_data: Path, tmp_path: Path) -> None:
    source = open_source(shared_data / "celeba_hq_samples")
    few = [source[index] for index in (0, 9)]
    path = written(tmp_path / "hq", few, "tfrecord")
    assert same(open_source(path), few)
    assert len(list(path.iterdir())) == 9
