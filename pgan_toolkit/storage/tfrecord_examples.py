"""TensorFlow's Example: named features, of which bytes and integers are read and written.

Read where it lies, so that a label is found in a mapped file without touching the pixels beside
it; a parser of protocol buffers would need all of it. The encoding is that of protocol buffers,
https://protobuf.dev/programming-guides/encoding, for the messages of tensorflow/core/example:
Example {Features 1}, Features {map<string, Feature> 1}, Feature {BytesList 1 | FloatList 2 |
Int64List 3}, and each list {value 1}.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pgan_toolkit.errors import DataError

__all__ = ["Example", "find_features", "format_example"]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_BYTES_LIST, _INT64_LIST = 1, 3
_LONGEST_VARINT_BYTES = 10
_MOST_INTEGERS = 1024  # more are no shape and no label


@dataclass(frozen=True)
class Example:
    """The features of an Example. Those of numbers with fractions are passed over.

    Attributes
    ----------
    contents : dict of str to memoryview
        The first bytes of each list of bytes.
    integers : dict of str to tuple of int
        Lists of integers; of a long one the first 1024.
    """

    contents: dict[str, memoryview] = field(default_factory=dict)
    integers: dict[str, tuple[int, ...]] = field(default_factory=dict)


class _WireError(ValueError):
    """The bytes are no message."""


def find_features(data: memoryview, *, name: str) -> Example:
    """Find an Example's features.

    Parameters
    ----------
    data : memoryview
        Of bytes: the record. Features of bytes are views into it.
    name : str
        What an error calls it.

    Raises
    ------
    DataError
        It is no Example.
    """
    example = Example()
    try:
        for entry in _messages(data, 1, 1):
            key = bytes(next(_messages(entry, 1), memoryview(b""))).decode()
            for kind, content in _fields(next(_messages(entry, 2), memoryview(b""))):
                if kind == _BYTES_LIST and isinstance(content, memoryview):
                    example.contents[key] = next(_messages(content, 1), memoryview(b""))
                elif kind == _INT64_LIST and isinstance(content, memoryview):
                    example.integers[key] = tuple(_integers(content))
    except (_WireError, UnicodeDecodeError) as error:
        raise DataError(
            f"{name}: not an Example of TensorFlow ({error}); expected TFRecord files of Examples"
        ) from error
    return example


def format_example(features: Mapping[str, bytes | Sequence[int]]) -> bytes:
    """Encode an Example, its features in the order given.

    Parameters
    ----------
    features : mapping of str to bytes or integers
        Integers are not negative.
    """
    entries = (
        _field(1, _field(1, name.encode()) + _field(2, _format_feature(value)))
        for name, value in features.items()
    )
    return _field(1, b"".join(entries))


def _integers(data: memoryview) -> Iterator[int]:
    """Integers of a list, packed or one by one."""
    count = 0
    for number, content in _fields(data):
        if number != 1:
            continue
        place = 0
        while isinstance(content, memoryview) and place < len(content):
            value, place = _varint(content, place)
            yield _signed(value)
            count += 1
            if count > _MOST_INTEGERS:
                return
        if isinstance(content, int):
            yield _signed(content)


def _messages(data: memoryview, number: int, *inner: int) -> Iterator[memoryview]:
    """Contents of all fields with a number, and within them of those with the next."""
    for found, content in _fields(data):
        if found == number and isinstance(content, memoryview):
            if inner:
                yield from _messages(content, *inner)
            else:
                yield content


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        wire_type = tag & 7
        if wire_type == _VARINT:
            value, place = _varint(data, place)
            yield tag >> 3, value
            continue
        if wire_type == _BYTES:
            size, place = _varint(data, place)
        elif wire_type in {_FIXED64, _FIXED32}:
            size = 8 if wire_type == _FIXED64 else 4
        else:
            raise _WireError(f"wire type {wire_type}")
        if size > len(data) - place:
            raise _WireError(f"a field of {size:,} bytes where {len(data) - place:,} are left")
        yield tag >> 3, data[place : place + size]
        place += size


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """Read an integer of variable length; return it and the place behind it."""
    value = 0
    for shift, byte in enumerate(data[place : place + _LONGEST_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, place + shift + 1
    raise _WireError("a number without an end")


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def _format_feature(value: bytes | Sequence[int]) -> bytes:
    if isinstance(value, bytes):
        return _field(_BYTES_LIST, _field(1, value))
    return _field(_INT64_LIST, _field(1, b"".join(map(_format_varint, value))))


def _field(number: int, content: bytes) -> bytes:
    return _format_varint(number << 3 | _BYTES) + _format_varint(len(content)) + content


def _format_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
