"""CRC-32C (Castagnoli), the checksum of TFRecord files (RFC 3720, appendix B.4).

The register is linear in what it takes in. So a long text is cut into columns that NumPy advances
side by side, and a column's register is then shifted by the bytes that follow it, by tables.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["crc32c", "masked_crc32c"]

_POLYNOMIAL = 0x82F63B78  # with the lowest bit first
_ALL_ONES = 0xFFFFFFFF
_SHORT_BYTES = 256  # below, a plain loop is sooner done
_MOST_STEPS_LOG2 = 9


def crc32c(data: bytes) -> int:
    """Return the checksum of some bytes: 0xE3069283 for b"123456789"."""
    if len(data) < _SHORT_BYTES:
        return _crc_of_short(data)
    steps_log2 = min(_MOST_STEPS_LOG2, (len(data).bit_length() + 1) // 2)
    columns = 1 << max(0, (len(data) - 1).bit_length() - steps_log2)
    padded = np.zeros(columns << steps_log2, np.uint8)  # zeros before do not move a register of 0
    padded[-len(data) :] = np.frombuffer(data, np.uint8)
    padded[len(padded) - len(data) :][:4] ^= 0xFF  # the same as to begin with a register of ones
    words = np.ascontiguousarray(padded.view("<u4").reshape(columns, -1).T)
    low, high = _word_tables()
    registers = np.zeros(columns, np.uint32)
    for word in words:
        registers = registers ^ word
        registers = low[registers & np.uint32(0xFFFF)] ^ high[registers >> np.uint32(16)]
    while len(registers) > 1:
        registers = _shifted(registers[::2], _shift_tables(steps_log2)) ^ registers[1::2]
        steps_log2 += 1
    return int(registers[0]) ^ _ALL_ONES


def masked_crc32c(data: bytes) -> int:
    """Return the checksum as TFRecord stores it: rotated right by 15 bits, plus a constant."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & _ALL_ONES


def _crc_of_short(data: bytes) -> int:
    table = _byte_table()
    register = _ALL_ONES
    for byte in data:
        register = table[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register ^ _ALL_ONES


@lru_cache(maxsize=1)
def _byte_table() -> list[int]:
    """Register after each single byte, from a register of 0."""
    table = []
    for byte in range(256):
        register = byte
        for _ in range(8):
            register = (register >> 1) ^ (_POLYNOMIAL if register & 1 else 0)
        table.append(register)
    return table


@lru_cache(maxsize=64)
def _shift_tables(log2_bytes: int) -> NDArray[np.uint32]:
    """Return what 2^k zero bytes make of each byte of a register: uint32 (4, 256)."""
    if log2_bytes:
        half = _shift_tables(log2_bytes - 1)
        return _shifted(half, half)
    table = np.array(_byte_table(), np.uint32)
    places = np.arange(4, dtype=np.uint32)[:, None] * np.uint32(8)
    values = np.arange(256, dtype=np.uint32)[None] << places
    return np.asarray(table[values & 0xFF] ^ (values >> np.uint32(8)), np.uint32)


@lru_cache(maxsize=1)
def _word_tables() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return what four bytes make of each half of a register: twice uint32 (65536,)."""
    first, second, third, fourth = _shift_tables(2)
    low, high = np.arange(1 << 16) & 0xFF, np.arange(1 << 16) >> 8
    return first[low] ^ second[high], third[low] ^ fourth[high]


def _shifted(registers: NDArray[np.uint32], tables: NDArray[np.uint32]) -> NDArray[np.uint32]:
    shifted: NDArray[np.uint32] = tables[0][registers & 0xFF]
    for place in (1, 2, 3):
        shifted = shifted ^ tables[place][(registers >> np.uint32(8 * place)) & 0xFF]
    return shifted
