from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgan_toolkit.errors import UsageError
from reference_trainer.configuration import RunSettings, load_preset
from reference_trainer.division import check_divisions, divide_minibatch

PAPER = load_preset("celebahq-1024")


def settings(**changes: Any) -> RunSettings:
    return load_preset(
        "celebahq-1024", changes=[f"{name}={value}" for name, value in changes.items()]
    )


def test_minibatches_are_shared_alike() -> None:
    division = divide_minibatch(64, settings(), world_size=8)
    assert (division.share, division.microbatches) == (8, (8,))
    with pytest.raises(UsageError, match=r"14 does not divide over 4 GPUs.*\(12 or 16\)"):
        divide_minibatch(14, settings(), world_size=4)
    with pytest.raises(UsageError, match="3 does not divide over 8 GPUs"):
        divide_minibatch(3, settings(), world_size=8)


@pytest.mark.parametrize(
    ("most", "group", "microbatch"),
    [(0, 4, 16), (6, 4, 4), (6, 0, 4), (8, 4, 8), (3, 4, 2), (100, 4, 16)],
)
def test_microbatches_divide_a_share_into_whole_groups(
    most: int, group: int, microbatch: int
) -> None:
    run = settings(stddev_group=group, microbatch_size=most)
    found = divide_minibatch(16, run, world_size=1)
    assert found.microbatches == (microbatch,) * (16 // microbatch)


@pytest.mark.parametrize(
    ("share", "most", "microbatches"),
    [(7, 4, (4, 3)), (7, 3, (3, 2, 2)), (5, 3, (3, 2)), (11, 4, (4, 4, 3)), (3, 5, (3,))],
)
def test_what_nothing_divides_is_cut_evenly(
    share: int, most: int, microbatches: tuple[int, ...]
) -> None:
    found = divide_minibatch(share, settings(microbatch_size=most), world_size=1)
    assert found.microbatches == microbatches


@given(share=st.integers(1, 200), most=st.integers(0, 64), group=st.integers(0, 8))
def test_parts_add_up_and_fit(share: int, most: int, group: int) -> None:
    run = replace(
        PAPER,
        discriminator=replace(PAPER.discriminator, stddev_group=group),
        optimization=replace(PAPER.optimization, microbatch_size=most),
    )
    try:
        found = divide_minibatch(2 * share, run, world_size=2)
    except UsageError:
        assert share == 1 or most in {1, 2}  # which an odd share cannot be cut into
        return
    assert sum(found.microbatches) == found.share == share
    assert max(found.microbatches) - min(found.microbatches) <= 1
    assert 1 < min(found.microbatches) <= found.most_at_once <= (most or share)


@pytest.mark.parametrize("most", [1, 2])
def test_a_picture_is_not_left_alone_where_pictures_are_compared(most: int) -> None:
    """The deviation of one picture from itself is 0, whatever G makes."""
    said = r"stddev compares pictures, and with [12] at once.*set microbatch_size to 3 or more"
    with pytest.raises(UsageError, match=said):
        divide_minibatch(3, settings(microbatch_size=most), world_size=1)
    for other in ("discrimination", "none"):
        run = settings(microbatch_size=most, minibatch_statistic=other)
        if other == "none":
            parts = (1, 1, 1) if most == 1 else (2, 1)
            assert divide_minibatch(3, run, world_size=1).microbatches == parts
        else:
            with pytest.raises(UsageError, match="discrimination compares"):
                divide_minibatch(3, run, world_size=1)


def test_a_gpu_has_more_than_one_picture_where_pictures_are_compared() -> None:
    with pytest.raises(UsageError, match=r"3, 1 on each GPU: .*there is one; use fewer GPUs"):
        divide_minibatch(3, settings(), world_size=3)
    batch = load_preset("table1-a")
    with pytest.raises(UsageError, match="g_normalization=batch compares"):
        divide_minibatch(64, batch, world_size=64)


def test_the_divisions_of_a_whole_run_are_checked_before_it() -> None:
    shorter = settings(total_kimg=12000)
    check_divisions(shorter, world_size=1)
    check_divisions(shorter, world_size=2)  # 1024x1024 and its 3 lie beyond this run's end
    with pytest.raises(UsageError, match="minibatch of 3 does not divide over 2 GPUs"):
        check_divisions(settings(), world_size=2)


def test_the_first_step_is_checked_though_its_resolution_lasts_no_time() -> None:
    run = settings(**{"stable_kimg": 0, "minibatch_sizes.4": 1})
    with pytest.raises(UsageError, match="a minibatch of 1, 1 on each GPU"):
        check_divisions(run, world_size=1)
