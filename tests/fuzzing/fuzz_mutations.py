"""Edits of a valid file's bytes: flips, cuts, splices, and numbers where lengths may stand."""

import random
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ["KINDS", "Edit", "mutated", "random_edits"]

_LIMIT_BYTES = 1 << 18
_NUMBERS = (
    *(0, 1, 2, 3, 7, 8, 9, 127, 128, 255, 256, 511, 512, 4096, 65535, 65536),
    *(1 << 20, (1 << 24) - 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32),
    *(1 << 40, (1 << 62) - 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1),
)
_FORMATS = ("B", "<H", ">H", "<I", ">I", "<Q", ">Q")
_WORDS = (
    *(b"0", b"-1", b"1e999", b"NaN", b"Infinity", b"null", b"true", b"[]", b"{}", b'""', b"\n"),
    *(b"9" * 30, b"9" * 5000, b"[" * 600, b"{" * 20, b"a." * 700, b"\0", b"\x1b[2J", b"../", b"/"),
    *(b"\xff\xfe", b"\xed\xa0\x80", "\u202e".encode(), b",", b":", b" ", b'"', b"'", b"\\u0000"),
)


class Edit(NamedTuple):
    """One edit: what, where (0..1 of the length), and two numbers whose use depends on the kind."""

    kind: str
    place: float
    first: int
    second: int


def _flip(data: bytes, at: int, first: int, second: int) -> bytes:
    changed = bytearray(data)
    if changed:
        changed[min(at, len(changed) - 1)] ^= 1 << first % 8
    return bytes(changed)


def _cut(data: bytes, at: int, first: int, second: int) -> bytes:
    return data[:at]


def _remove(data: bytes, at: int, first: int, second: int) -> bytes:
    return data[:at] + data[at + 1 + first % 600 :]


def _repeat(data: bytes, at: int, first: int, second: int) -> bytes:
    return data[:at] + data[at : at + 1 + first % 600] * (1 + second % 40) + data[at:]


def _move(data: bytes, at: int, first: int, second: int) -> bytes:
    """Copy a piece over another place."""
    piece = data[at : at + 1 + first % 64]
    to = second % max(len(data), 1)
    return data[:to] + piece + data[to + len(piece) :]


def _number(data: bytes, at: int, first: int, second: int) -> bytes:
    code = _FORMATS[first % len(_FORMATS)]
    size = struct.calcsize(code)
    value = _NUMBERS[second % len(_NUMBERS)] % (1 << 8 * size)
    return data[:at] + struct.pack(code, value) + data[at + size :]


def _byte(data: bytes, at: int, first: int, second: int) -> bytes:
    return data[:at] + bytes([first % 256]) + data[at + 1 :]


def _word(data: bytes, at: int, first: int, second: int) -> bytes:
    word = _WORDS[first % len(_WORDS)]
    return data[:at] + word + data[at + (len(word) if second % 2 else 0) :]


_EDITS: dict[str, Callable[[bytes, int, int, int], bytes]] = {
    "flip": _flip,
    "cut": _cut,
    "remove": _remove,
    "repeat": _repeat,
    "move": _move,
    "number": _number,
    "byte": _byte,
    "word": _word,
}
KINDS = tuple(_EDITS)


def mutated(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Apply edits one after the other."""
    for edit in edits:
        at = min(int(edit.place * len(data)), len(data))
        data = _EDITS[edit.kind](data, at, edit.first, edit.second)[:_LIMIT_BYTES]
    return data


def random_edits(chance: random.Random) -> list[Edit]:
    """One to eight edits, cuts being rare: most of a file must stay for deep faults to show."""
    kinds = [kind for kind in KINDS if kind != "cut"] * 3 + ["cut"]
    return [
        Edit(chance.choice(kinds), chance.random(), chance.getrandbits(16), chance.getrandbits(16))
        for _ in range(chance.choice((1, 1, 2, 3, 5, 8)))
    ]
