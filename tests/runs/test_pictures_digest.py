import hashlib
from pathlib import Path

import numpy as np

from pgan_toolkit.imaging import encode_png
from pgan_toolkit.runs import pictures_digest
from pgan_toolkit.storage import open_source


def _written(folder: Path, *, shape: tuple[int, int] = (4, 6), name: str = "b.png") -> Path:
    folder.mkdir()
    (folder / "a.png").write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    (folder / name).write_bytes(encode_png(np.zeros((*shape, 3), np.uint8)))
    return folder


def test_the_digest_is_of_keys_and_sizes(tmp_path: Path) -> None:
    folder = _written(tmp_path / "set")
    source = open_source(folder)
    bytes_of = [(folder / name).stat().st_size for name in ("a.png", "b.png")]
    first, second = source.keys()
    text = f"{first} 8x8 {bytes_of[0]}\n{second} 6x4 {bytes_of[1]}"
    assert pictures_digest(source) == hashlib.sha256(text.encode()).hexdigest()


def test_moved_pictures_are_the_same_and_changed_ones_are_not(tmp_path: Path) -> None:
    def digest(folder: Path) -> str:
        return pictures_digest(open_source(folder))

    first = digest(_written(tmp_path / "set"))
    assert digest(_written(tmp_path / "moved")) == first
    assert digest(_written(tmp_path / "size", shape=(6, 4))) != first
    assert digest(_written(tmp_path / "name", name="c.png")) != first
