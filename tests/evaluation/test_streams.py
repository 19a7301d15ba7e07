"""Which pictures of a set go into a metric, and in what batches."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pgan_toolkit.engines import threaded_map
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.evaluation.choices import choose_images
from pgan_toolkit.evaluation.content import set_digest
from pgan_toolkit.evaluation.feeding import feed
from pgan_toolkit.evaluation.protocol import about_sets
from pgan_toolkit.evaluation.streams import (
    BATCH_BYTES,
    ImageStream,
    StreamSettings,
)
from pgan_toolkit.imaging import encode_jpeg, encode_png
from pgan_toolkit.metrics import Result
from pgan_toolkit.storage import Record, open_sink

COUNT = 12


def picture(seed: int, *, height: int = 8, width: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


PICTURES = torch.from_numpy(np.stack([picture(n) for n in range(COUNT)]).transpose(0, 3, 1, 2))


def quiet(**settings: object) -> StreamSettings:
    return StreamSettings(**{"mode": "quiet", **settings})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures of 6x8 pixels."""
    place = tmp_path / "real"
    place.mkdir()
    for number in range(COUNT):
        (place / f"{number:02d}.png").write_bytes(encode_png(picture(number)))
    return place


def read_all(stream: ImageStream, **options: object) -> torch.Tensor:
    batches = list(stream.batches(**options))
    starts = np.cumsum([0, *(len(batch.images) for batch in batches)])[:-1]
    assert [batch.first for batch in batches] == starts.tolist()
    return torch.cat([batch.images for batch in batches])


@given(total=st.integers(1, 60), more=st.integers(1, 60), fewer=st.integers(1, 60))
def test_fewer_images_are_a_subset_of_more(total: int, more: int, fewer: int) -> None:
    more, fewer = max(more, fewer), min(more, fewer)
    chosen = choose_images(total, more, seed=3)
    assert len(chosen) == min(total, more)
    assert list(chosen) == sorted(set(chosen))
    assert set(choose_images(total, fewer, seed=3)) <= set(chosen)


def test_the_choice_depends_on_the_seed_and_covers_the_set() -> None:
    draws = [choose_images(100, 10, seed=seed) for seed in range(1000)]
    assert len(set(draws)) == 1000
    counts = np.bincount(np.concatenate(draws), minlength=100)
    assert 55 < counts.min() < counts.max() < 145  # 100 each are expected, +- 9.5
    assert choose_images(5, None, seed=0) == choose_images(5, 5, seed=1) == (0, 1, 2, 3, 4)


@pytest.mark.parametrize("batch_size", [1, 5, 12, 100, None])
@pytest.mark.parametrize("workers", [1, 3])
def test_pictures_come_in_order_in_any_batches(
    folder: Path, batch_size: int | None, workers: int
) -> None:
    stream = ImageStream(folder, quiet(batch_size=batch_size, workers=workers))
    assert torch.equal(read_all(stream), PICTURES)
    assert torch.equal(read_all(stream), PICTURES)
    assert stream.size == (8, 6)


def test_batches_are_sized_by_their_bytes(folder: Path) -> None:
    assert len(next(ImageStream(folder, quiet()).batches()).images) == COUNT
    (folder / "00.png").write_bytes(encode_png(picture(0, height=2000, width=2000)))
    stream = ImageStream(folder, quiet())
    assert BATCH_BYTES // (3 * 2000 * 2000) == 1
    assert len(next(stream.batches(sizes="any")).images) == 1


def test_a_subset_is_what_the_indices_say(folder: Path) -> None:
    stream = ImageStream(folder, quiet(images=5, seed=2))
    assert stream.indices == choose_images(COUNT, 5, seed=2)
    assert torch.equal(read_all(stream), PICTURES[list(stream.indices)])
    assert stream.key(1) == f"{stream.indices[1]:02d}"


def test_taking_fewer_is_the_same_as_asking_for_fewer(folder: Path) -> None:
    full = ImageStream(folder, quiet())
    assert full.take(4).indices == ImageStream(folder, quiet(images=4)).indices
    assert full.take(6).take(4).indices == full.take(4).indices
    assert torch.equal(read_all(full.take(4)), PICTURES[list(full.take(4).indices)])
    assert full.take(COUNT) is full


@pytest.mark.parametrize("name", ["set.zip", "set.h5"])
def test_formats_give_the_same_pictures(folder: Path, tmp_path: Path, name: str) -> None:
    with open_sink(tmp_path / name) as sink:
        for number in range(COUNT):
            sink.write(Record(f"{number:02d}", picture(number)))
    stream = ImageStream(tmp_path / name, quiet(workers=3))
    assert torch.equal(read_all(stream), PICTURES)
    decoded = stream.identities()
    again = ImageStream(tmp_path / name, quiet())
    assert again.identities() == decoded
    if name == "set.zip":  # the same PNG files, so the same set
        assert set_digest(decoded) == set_digest(ImageStream(folder, quiet()).identities())


def test_other_sizes_stop_the_work_or_cut_batches(folder: Path) -> None:
    for number in (4, 5, 9):
        (folder / f"{number:02d}.png").write_bytes(encode_png(picture(number, height=7, width=9)))
    stream = ImageStream(folder, quiet())
    with pytest.raises(DataError) as told:
        list(stream.batches())
    for part in ("04.png: 9x7 pixels", "00.png has 6x8", "3 of 12 pictures", "data inspect"):
        assert part in str(told.value)
    batches = list(stream.batches(sizes="any"))
    assert [(batch.first, len(batch.images)) for batch in batches] == [
        (0, 4), (4, 2), (6, 3), (9, 1), (10, 2),
    ]  # fmt: skip
    assert "pictures of 2 sizes: 6x8 (9), 9x7 (3)" in stream.warnings()[0]
    assert stream.describe()["sizes"] == {"6x8": 9, "9x7": 3}


def test_lossy_beside_lossless_is_told(folder: Path) -> None:
    stream = ImageStream(folder, quiet())
    read_all(stream)
    assert stream.warnings() == ()
    (folder / "03.png").unlink()
    (folder / "03.jpg").write_bytes(encode_jpeg(picture(3), quality=95))
    stream = ImageStream(folder, quiet())
    read_all(stream)
    assert "lossy files beside lossless ones (11 PNG, 1 JPEG)" in stream.warnings()[0]


def damage(folder: Path, *numbers: int) -> None:
    for number in numbers:
        path = folder / f"{number:02d}.png"
        path.write_bytes(path.read_bytes()[:60])


def test_an_unreadable_file_is_named(folder: Path) -> None:
    damage(folder, 3)
    with pytest.raises(DataError, match=r"03\.png: .*--skip-bad"):
        read_all(ImageStream(folder, quiet()))


def test_unreadable_files_can_be_left_out_with_their_count(folder: Path) -> None:
    damage(folder, 0, 3)
    stream = ImageStream(folder, quiet(skip_bad=True))
    assert torch.equal(read_all(stream), PICTURES[[1, 2, *range(4, COUNT)]])
    assert len(stream) == COUNT - 2
    assert "2 unreadable pictures left out, such as" in stream.warnings()[0]
    assert "00.png" in stream.warnings()[0]


def test_the_seed_chose_where_readable_pictures_are_left(folder: Path) -> None:
    damage(folder, 3)
    stream = ImageStream(folder, quiet(skip_bad=True, seed=7))
    assert stream.describe()["chosen_by_seed"] is None
    assert stream.take(5).describe()["chosen_by_seed"] == 7
    result = Result(metric="m", value=0.0, images={}, convention="c")
    assert about_sets(result, stream).seed is None
    assert about_sets(result, stream.take(5)).seed == 7
    fewer = ImageStream(folder, quiet(skip_bad=True, seed=7, images=COUNT - 2))
    assert fewer.describe()["chosen_by_seed"] == 7


def test_others_take_the_places_of_those_left_out(folder: Path) -> None:
    chosen = choose_images(COUNT, 5, seed=0)
    damage(folder, chosen[0], chosen[2])
    stream = ImageStream(folder, quiet(images=5, skip_bad=True))
    assert len(stream) == 5
    assert len(stream.bad) >= 2
    assert set(stream.indices) >= {chosen[1], chosen[3], chosen[4]}
    assert stream.take(3).indices == ImageStream(folder, quiet(images=3, skip_bad=True)).indices


def test_a_set_of_unreadable_files_is_refused(folder: Path) -> None:
    damage(folder, *range(COUNT))
    with pytest.raises(DataError, match=r"none of 12 pictures can be read: .*00\.png"):
        ImageStream(folder, quiet(skip_bad=True))


def test_an_empty_folder_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        ImageStream(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="the folder is empty"):
        ImageStream(tmp_path / "empty")


def test_a_picture_that_goes_after_the_set_was_opened_is_named(folder: Path) -> None:
    from pgan_toolkit.storage import open_source

    source = open_source(folder)
    (folder / "00.png").unlink()
    with pytest.raises(DataError, match=r"00\.png: cannot be read"):
        next(ImageStream(source).batches())


@pytest.mark.parametrize("wrong", [{"images": 0}, {"batch_size": 0}, {"workers": 0}, {"seed": -1}])
def test_wrong_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        StreamSettings(**wrong)


def test_identities_follow_the_bytes(folder: Path, tmp_path: Path) -> None:
    before = ImageStream(folder, quiet()).identities()
    shutil.copytree(folder, tmp_path / "copy")
    assert ImageStream(tmp_path / "copy", quiet()).identities() == before
    # Same pixels, other bytes: told apart, for the digest is of the file.
    changed = tmp_path / "copy" / "05.png"
    changed.write_bytes(changed.read_bytes() + b"x")
    after = ImageStream(tmp_path / "copy", quiet()).identities()
    assert [a == b for a, b in zip(before, after, strict=True)].count(False) == 1


def test_every_one_of_the_statistics_is_fed(folder: Path) -> None:
    class Sum:
        def __init__(self) -> None:
            self.seen: list[tuple[int | None, int]] = []

        def update(self, images: torch.Tensor, *, first: int | None = None) -> None:
            self.seen.append((first, len(images)))

        def merge(self, other: object) -> None:
            raise NotImplementedError

    one, two = Sum(), Sum()
    feed(ImageStream(folder, quiet(batch_size=8)), one, two)
    assert one.seen == two.seen == [(0, 8), (8, 4)]


def test_threads_keep_the_order_and_a_bound_and_raise_in_place() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    results = threaded_map(lambda n: 10 // (n - 7), items(), workers=2, ahead=3)
    assert [next(results) for _ in range(7)] == [10 // (n - 7) for n in range(7)]
    assert len(taken) <= 7 + 4
    with pytest.raises(ZeroDivisionError):
        next(results)
