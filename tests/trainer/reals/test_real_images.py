from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from square_sets import reals_of, write_sizes, write_squares
from torch.nn import functional

import reference_trainer.reals.real_images as real_images_module
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.storage import FORMATS, FormatName, open_source
from reference_trainer.reals import ShowingOrder, reduce_images


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("resolution", [16, 8, 4])
def test_a_batch_is_what_the_order_says(
    tmp_path: Path, format_name: FormatName, resolution: int
) -> None:
    images = write_squares(tmp_path / "set", format_name=format_name)
    batch = reals_of(tmp_path / "set", seed=4).batch(7, 12, resolution)
    shown = ShowingOrder(10, seed=4, mirror=True).at(7, 12)
    expected = reduce_images(np.ascontiguousarray(images), resolution=resolution)[shown.indices]
    expected[shown.mirrored] = np.flip(expected[shown.mirrored], axis=3)
    assert batch.labels is None
    assert batch.images.dtype == torch.uint8
    assert np.array_equal(batch.images.numpy(), expected)


def test_pictures_larger_than_the_run_are_reduced(tmp_path: Path) -> None:
    images = write_squares(tmp_path / "set", side=32)
    reals = reals_of(tmp_path / "set", resolution=8)
    expected = reduce_images(np.ascontiguousarray(images[3:5]), resolution=8)
    assert np.array_equal(reals.pictures([3, 4], 8).numpy(), expected)
    with pytest.raises(UsageError, match="resolution=16: this run ends with 8"):
        reals.pictures([0], 16)


def test_28_pixels_are_what_the_strided_mnist_nets_take(tmp_path: Path) -> None:
    images = write_squares(tmp_path / "set", side=28)
    reals = reals_of(tmp_path / "set", resolution=28, mirror=False)
    order = ShowingOrder(10, seed=0, mirror=False).at(0, 10).indices
    assert np.array_equal(reals.batch(0, 10, 28).images.numpy(), images[order])


def test_labels_go_with_their_pictures(tmp_path: Path) -> None:
    write_squares(tmp_path / "set", labelled=True)
    reals = reals_of(tmp_path / "set", conditional=True)
    assert reals.label_count == 3
    labels = reals.batch(5, 8, 4).labels
    assert labels is not None
    order = ShowingOrder(10, seed=0, mirror=True).at(5, 8).indices
    assert labels.dtype == torch.int64
    assert labels.tolist() == [int(index) % 3 for index in order]


def test_labels_are_left_alone_unless_they_are_learnt(tmp_path: Path) -> None:
    write_squares(tmp_path / "set", labelled=True)
    reals = reals_of(tmp_path / "set")
    assert reals.label_count == 0
    assert reals.batch(0, 2, 4).labels is None


def test_missing_labels_are_told_with_the_way_to_give_them(tmp_path: Path) -> None:
    write_squares(tmp_path / "set")
    with pytest.raises(DataError, match=r"0000\.png: has no label.*dataset\.json.*conditional"):
        reals_of(tmp_path / "set", conditional=True)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([(16, 18)], r"0000\.png: 16x18 pixels, not square; .*crop"),
        ([(8, 8)], r"0000\.png: 8x8 pixels, smaller than resolution=16; .*resolution=8"),
        ([(24, 24)], r"0000\.png: 24x24 pixels, which halving does not bring to resolution=16"),
        ([(48, 48)], r"0000\.png: 48x48 pixels, which halving"),
        ([(16, 16), (32, 32)], r"0001\.png: 32x32 pixels, where .*0000\.png has 16x16"),
        ([(16, 16), (16, 15)], r"0001\.png: 16x15 pixels, where"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(
    tmp_path: Path, sizes: list[tuple[int, int]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        reals_of(write_sizes(tmp_path / "set", *sizes))


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("in_memory", [True, False])
def test_one_odd_picture_among_many_is_found_before_the_run(
    tmp_path: Path, cached: bool, in_memory: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 200 every third is looked at first; the others as they are decoded, or by header."""
    if not in_memory:
        monkeypatch.setattr(real_images_module, "_MOST_IN_MEMORY_BYTES", 0)
    sizes = [(8, 8)] * 200
    sizes[100] = (8, 4)
    write_sizes(tmp_path / "set", *sizes)
    with pytest.raises(DataError, match=r"0100\.png: 8x4 pixels"):
        reals_of(tmp_path / "set", resolution=8, cache=tmp_path / "cache" if cached else None)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    write_squares(tmp_path / "set")
    file = tmp_path / "set" / "0006.png"
    file.write_bytes(file.read_bytes()[:-80])
    with pytest.raises(DataError, match=r"0006\.png: the picture is damaged"):
        reals_of(tmp_path / "set")


def test_fewer_pictures_than_a_minibatch_are_refused(tmp_path: Path) -> None:
    write_squares(tmp_path / "set")
    reals = reals_of(tmp_path / "set")
    reals.check_minibatch(10)
    with pytest.raises(DataError, match=r"10 pictures, fewer than a minibatch of 16.*10 or less"):
        reals.check_minibatch(16)


def test_a_resume_sees_what_an_uninterrupted_run_sees(tmp_path: Path) -> None:
    write_squares(tmp_path / "set")
    whole = reals_of(tmp_path / "set").batch(0, 35, 8).images
    assert torch.equal(whole[23:], reals_of(tmp_path / "set").batch(23, 12, 8).images)


def test_what_decodes_each_time_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_squares(tmp_path / "set")
    kept = reals_of(tmp_path / "set")
    monkeypatch.setattr(real_images_module, "_MOST_IN_MEMORY_BYTES", 0)
    decoded = reals_of(open_source(tmp_path / "set"))
    for resolution in (4, 8, 16):
        assert kept.is_prepared(resolution)
        assert not decoded.is_prepared(resolution)
        assert torch.equal(
            kept.batch(3, 20, resolution).images, decoded.batch(3, 20, resolution).images
        )


def test_more_than_128_pixels_are_decoded_when_they_are_shown(tmp_path: Path) -> None:
    images = write_squares(tmp_path / "set", 3, side=256)
    reals = reals_of(tmp_path / "set", resolution=256)
    assert not reals.is_prepared(256)
    assert all(reals.is_prepared(size) for size in (4, 8, 16, 32, 64, 128))
    assert np.array_equal(reals.pictures([2, 0], 256).numpy(), images[[2, 0]])


def test_agrees_with_the_resolutions_that_a_multires_file_stores(tmp_path: Path) -> None:
    write_squares(tmp_path / "set.h5", 20, side=64, format_name="hdf5-multires")
    reals = reals_of(tmp_path / "set.h5", resolution=32)
    with h5py.File(tmp_path / "set.h5") as file:
        for size in (32, 16, 8, 4):
            stored = file[f"data{size}x{size}"][:]
            assert np.array_equal(reals.pictures(range(20), size).numpy(), stored)


@pytest.mark.shared_data
def test_real_faces_from_the_cache_and_from_their_files(tmp_path: Path, shared_data: Path) -> None:
    """A few files, each resolution against means in float64 by torch."""
    for file in sorted((shared_data / "faces_1024").glob("*.png"))[:3]:
        (tmp_path / file.name).symlink_to(file)
    reals = reals_of(tmp_path, resolution=1024, cache=tmp_path.with_name("cache"))
    full = reals.pictures(range(3), 1024)
    assert full.float().std() > 20  # faces, not a flat colour
    for size in (512, 128, 16, 4):
        means = functional.avg_pool2d(full.double(), 1024 // size)
        assert torch.equal(reals.pictures(range(3), size), torch.round(means).to(torch.uint8))


def test_pictures_of_each_label_are_counted(tmp_path: Path) -> None:
    write_squares(tmp_path / "set", labelled=True)  # 10 pictures, labels 0, 1, 2, 0, ...
    assert reals_of(tmp_path / "set", conditional=True).label_counts == (4, 3, 3)
    assert reals_of(tmp_path / "set").label_counts == ()
