"""The keys of an LMDB file and where their values lie, read from its pages within bounds.

Read here and not by the library, which trusts its files: it maps them into memory, and a damaged
page kills the process (SIGBUS) where an error is due. It may also open a file only once in a
process, and not across a fork. The layout is that of data version 1, which LMDB 0.9 writes on
machines of 64 bits and little endian: two meta pages, and a B+ tree of branch and leaf pages; a
value that does not fit into a leaf lies on overflow pages of its own.
"""

import mmap
import struct
from collections.abc import Iterator
from typing import NamedTuple

from pgan_toolkit.errors import DataError
from pgan_toolkit.storage.archives import Archive

__all__ = ["LMDB_MAGIC", "StoredValue", "list_values"]

LMDB_MAGIC = (16, struct.pack("<I", 0xBEEFC0DE))
"""Where an LMDB file says that it is one, and how."""

_VERSION = 1
# magic, version, bytes of a page, flags of the main tree, its root, number of the transaction
_META = struct.Struct("<16x4sI16xI48xH34xQ8xQ")
_PAGE = struct.Struct("<10xHH")  # flags, end of the pointers to the nodes
_NODE = struct.Struct("<HHHH")  # low and high part of a number, flags, bytes of the key
_NUMBER = struct.Struct("<Q")
_PAGE_HEADER_BYTES = 16
_BRANCH, _LEAF, _LEAF_OF_FIXED = 0x01, 0x02, 0x20
_BIG, _SUBTREE, _DUPLICATES = 0x01, 0x02, 0x04  # flags of a node
_NO_PAGE = (1 << 64) - 1
_PAGE_SIZES = frozenset(1 << log2 for log2 in range(9, 17))
_MOST_LEVELS = 32


class StoredValue(NamedTuple):
    """A key and where its value lies.

    Attributes
    ----------
    key : bytes
        As stored.
    offset, size : int
        Of the value in the file, in bytes.
    """

    key: bytes
    offset: int
    size: int


class _DamagedError(ValueError):
    """A page is not what it should be."""


def list_values(file: Archive) -> list[StoredValue]:
    """List an LMDB file's values in the order of the keys' bytes; named subtrees are left out.

    Raises
    ------
    DataError
        Not an LMDB file, of another version, damaged, cut short, or with several values a key.
    """
    try:
        with (
            file.open() as opened,
            mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            return list(_values(data))
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror or error})") from error
    except (ValueError, struct.error) as error:  # mmap's own for a file of no bytes
        raise DataError(
            f"{file}: the LMDB file is damaged or incomplete ({error}); get or make it again"
        ) from error


def _values(data: mmap.mmap) -> Iterator[StoredValue]:
    page_bytes, root = _newest_tree(data)
    seen: set[int] = set()
    waiting = [] if root == _NO_PAGE else [(root, 0)]
    while waiting:
        page, level = waiting.pop()
        if page in seen or level > _MOST_LEVELS:
            raise _DamagedError(f"page {page:,} comes twice in the tree")
        seen.add(page)
        start = page * page_bytes
        if start + page_bytes > len(data):
            raise _DamagedError(f"page {page:,} is beyond the end")
        flags, _ = _PAGE.unpack_from(data, start)
        kind = flags & (_BRANCH | _LEAF | _LEAF_OF_FIXED)
        if kind == _BRANCH:
            children = [_child(data, start, node) for node in _nodes(data, start, page_bytes)]
            waiting.extend((child, level + 1) for child in reversed(children))
        elif kind == _LEAF:
            for node in _nodes(data, start, page_bytes):
                yield from _value(data, start + node, start + page_bytes, page_bytes)
        else:
            raise _DamagedError(f"page {page:,} is neither branch nor leaf")


def _newest_tree(data: mmap.mmap) -> tuple[int, int]:
    """Return the page size, and the root of the tree that the last transaction left."""
    place, magic = LMDB_MAGIC
    if data[place : place + len(magic)] != magic:
        raise _DamagedError("it does not begin as one")
    first = _META.unpack_from(data, 0)
    page_bytes = first[2]
    if page_bytes not in _PAGE_SIZES:
        raise _DamagedError(f"pages of {page_bytes:,} bytes")
    metas = [meta for meta in (first, _META.unpack_from(data, page_bytes)) if meta[0] == magic]
    _, version, _, flags, root, _ = max(metas, key=lambda meta: int(meta[-1]))
    if version != _VERSION:
        raise _DamagedError(f"data version {version}, and only {_VERSION} is read")
    if flags & _DUPLICATES:
        raise _DamagedError("several values a key")
    return page_bytes, root


def _nodes(data: mmap.mmap, start: int, page_bytes: int) -> list[int]:
    """Places of a page's nodes within it."""
    _, end = _PAGE.unpack_from(data, start)
    count, odd = divmod(end - _PAGE_HEADER_BYTES, 2)
    if count < 0 or odd or end > page_bytes:
        raise _DamagedError(f"{count:,} nodes at byte {start:,}")
    nodes = list(struct.unpack_from(f"<{count}H", data, start + _PAGE_HEADER_BYTES))
    if nodes and not end <= min(nodes) <= max(nodes) <= page_bytes - _NODE.size:
        raise _DamagedError(f"a node outside of its page at byte {start:,}")
    return nodes


def _child(data: mmap.mmap, start: int, node: int) -> int:
    low, high, highest, _ = _NODE.unpack_from(data, start + node)
    return int(low | high << 16 | highest << 32)


def _value(data: mmap.mmap, node: int, end: int, page_bytes: int) -> Iterator[StoredValue]:
    low, high, flags, key_bytes = _NODE.unpack_from(data, node)
    offset, size = node + _NODE.size + key_bytes, low | high << 16
    if flags & (_SUBTREE | _DUPLICATES):
        return
    if flags & _BIG:
        (page,) = _NUMBER.unpack_from(data, offset)
        value, value_end = page * page_bytes + _PAGE_HEADER_BYTES, len(data)
    else:
        value, value_end = offset, end
    if offset > end or value + size > value_end:
        raise _DamagedError(f"a value beyond the end, at byte {node:,}")
    yield StoredValue(data[node + _NODE.size : offset], value, size)
