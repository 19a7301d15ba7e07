from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from pgan_toolkit.errors import DataError
from pgan_toolkit.recipes import RECIPES, Pictures, prepare
from pgan_toolkit.storage import open_sink, open_source


@pytest.fixture
def rooms(tmp_path: Path) -> Pictures:
    folder = tmp_path / "rooms"
    folder.mkdir()
    for index in range(5):
        pixels = np.random.default_rng(index).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        PIL.Image.fromarray(pixels).save(folder / f"{index}.png")
    (folder / "dataset.json").write_text('{"labels": [["1.png", 7]]}')
    return RECIPES["lsun"].open(folder, size_px=32)


def _spoil(tmp_path: Path) -> None:
    path = tmp_path / "rooms" / "2.png"
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("encode", [True, False])
@pytest.mark.parametrize("name", ["out.zip", "out.h5", "out"])
def test_pictures_are_written_with_labels_in_order(
    rooms: Pictures, tmp_path: Path, name: str, encode: bool
) -> None:
    with open_sink(tmp_path / name) as sink:
        done = prepare(rooms, sink, encode=encode)
    assert (done.count, done.skipped) == (5, ())
    made = open_source(tmp_path / name)
    assert made.keys() == rooms.keys()
    assert made.labels() == (None, 7, None, None, None)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(made, rooms, strict=True))


def test_any_number_of_workers_gives_the_same_bytes(rooms: Pictures, tmp_path: Path) -> None:
    written = []
    for workers, encode in ((1, False), (1, True), (2, True)):
        path = tmp_path / f"{workers}{encode}.zip"
        with open_sink(path) as sink:
            prepare(rooms, sink, encode=encode, workers=workers)
        written.append(path.read_bytes())
    assert written[0] == written[1] == written[2]


@pytest.mark.parametrize(("images", "expected"), [(None, 5), (1, 1), (4, 4), (99, 5)])
def test_the_first_so_many(
    rooms: Pictures, tmp_path: Path, images: int | None, expected: int
) -> None:
    seen = []
    with open_sink(tmp_path / "out.zip") as sink:
        done = prepare(rooms, sink, images=images, advance=lambda: seen.append(1))
    assert done.count == len(seen) == expected
    assert open_source(tmp_path / "out.zip").keys() == rooms.keys()[:expected]


def test_a_damaged_picture_stops_the_work(rooms: Pictures, tmp_path: Path) -> None:
    _spoil(tmp_path)
    with pytest.raises(DataError, match=r"2\.png"), open_sink(tmp_path / "out.zip") as sink:
        prepare(rooms, sink)
    assert [path.name for path in tmp_path.iterdir()] == ["rooms"]


def test_or_is_left_out_and_told(rooms: Pictures, tmp_path: Path) -> None:
    _spoil(tmp_path)
    told: list[str] = []
    with open_sink(tmp_path / "out.zip") as sink:
        done = prepare(rooms, sink, on_bad=told.append)
    assert done.count == 4
    assert list(done.skipped) == told
    assert "2.png" in told[0]
    assert open_source(tmp_path / "out.zip").keys() == ("0", "1", "3", "4")
