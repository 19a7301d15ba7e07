"""CIFAR-10's files in small: the literal bytes that Python 2 wrote, and the binary version."""

import struct

import numpy as np


def pictures(count: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random rows of 3072 bytes, and labels."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, 256, (count, 3072), dtype=np.uint8)
    return rows, random.integers(0, 10, count, dtype=np.uint8)


def python_batch(rows: np.ndarray, labels: np.ndarray) -> bytes:
    """Instruction by instruction what cPickle of Python 2 writes of a batch."""
    names = [f"picture_{index}.png" for index in range(len(labels))]
    return b"".join(
        [
            b"\x80\x02}q\x01(",
            _short("batch_label") + b"q\x02" + _short("training batch 1 of 5") + b"q\x03",
            _short("labels") + b"q\x04]q\x05(",
            b"".join(b"K" + bytes([label]) for label in labels),
            b"e" + _short("data") + b"q\x06",
            b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08",
            b"K\x00\x85U\x01b\x87Rq\x09(K\x01",
            b"M" + struct.pack("<H", len(rows)) + b"M\x00\x0c\x86",
            b"cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNN",
            b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89",
            b"T" + struct.pack("<i", rows.size) + rows.tobytes() + b"tb",
            _short("filenames") + b"q\x0c]q\x0d(",
            b"".join(
                _short(name) + b"r" + struct.pack("<I", 256 + i) for i, name in enumerate(names)
            ),
            b"eu.",
        ]
    )


def binary_batch(rows: np.ndarray, labels: np.ndarray) -> bytes:
    """A label, then the red, the green and the blue bytes, of each picture."""
    return np.hstack([labels[:, None], rows]).tobytes()


def as_images(rows: np.ndarray) -> np.ndarray:
    """What the rows show: red is the first third, each plane by lines."""
    images = np.zeros((len(rows), 32, 32, 3), np.uint8)
    for y in range(32):
        for x in range(32):
            for channel in range(3):
                images[:, y, x, channel] = rows[:, 1024 * channel + 32 * y + x]
    return images


def _short(text: str) -> bytes:
    return b"U" + bytes([len(text)]) + text.encode()
