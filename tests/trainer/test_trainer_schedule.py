import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgan_toolkit.errors import UsageError
from reference_trainer.configuration.settings import (
    DataSettings,
    GeneratorSettings,
    OptimizationSettings,
    RunSettings,
    ScheduleSettings,
)
from reference_trainer.schedule import phase_at, phases


def run_settings(resolution: int = 1024, **schedule: Any) -> RunSettings:
    return RunSettings(
        preset="test",
        data=DataSettings(resolution=resolution),
        schedule=ScheduleSettings(**({"total_kimg": 12000.0} | schedule)),
    )


PAPER = run_settings(minibatch_sizes={256: 14, 512: 6, 1024: 3})
TABLE_1 = run_settings(128, stable_kimg=600.0, fade_kimg=600.0, total_kimg=10000.0)
MNIST = run_settings(32, stable_kimg=500.0, fade_kimg=2000.0, total_kimg=15000.0)


@pytest.mark.parametrize(
    ("shown", "lod", "resolution", "alpha", "minibatch", "index"),
    [
        (0, 8.0, 4, 1.0, 16, 0),
        (799_999, 8.0, 4, 1.0, 16, 0),
        (800_000, 8.0, 4, 1.0, 16, 0),  # lod is whole until something of the fade is over
        (800_016, 7.99998, 8, 0.00002, 16, 1),
        (1_200_000, 7.5, 8, 0.5, 16, 1),
        (1_599_999, 7.00000125, 8, 0.99999875, 16, 1),
        (1_600_000, 7.0, 8, 1.0, 16, 2),
        (2_400_000, 7.0, 8, 1.0, 16, 2),
        (2_400_001, 6.99999875, 16, 0.00000125, 16, 3),
        (3_200_000, 6.0, 16, 1.0, 16, 4),
        (8_800_000, 3.0, 128, 1.0, 16, 10),
        (9_000_000, 2.75, 256, 0.25, 14, 11),
        (10_400_001, 1.99999875, 512, 0.00000125, 6, 13),
        (11_200_000, 1.0, 512, 1.0, 6, 14),
        (12_400_000, 0.5, 1024, 0.5, 3, 15),
        (12_800_000, 0.0, 1024, 1.0, 3, 16),
        (99_000_000, 0.0, 1024, 1.0, 3, 16),
    ],
)
def test_the_paper_s_schedule(
    shown: int, lod: float, resolution: int, alpha: float, minibatch: int, index: int
) -> None:
    phase = phase_at(shown, PAPER)
    assert phase.kimg == shown / 1000
    assert phase.lod == pytest.approx(lod, abs=1e-12)
    assert phase.alpha == pytest.approx(alpha, abs=1e-12)
    assert (phase.resolution, phase.minibatch_size) == (resolution, minibatch)
    assert (phase.index, phase.fading) == (index, alpha < 1)


@pytest.mark.parametrize(
    ("settings", "shown", "lod", "resolution"),
    [
        (TABLE_1, 600_000, 5.0, 4),
        (TABLE_1, 900_000, 4.5, 8),
        (TABLE_1, 1_200_000, 4.0, 8),
        (TABLE_1, 5_999_999, 1 / 600_000, 128),
        (TABLE_1, 6_000_000, 0.0, 128),
        (MNIST, 500_000, 3.0, 4),
        (MNIST, 1_500_000, 2.5, 8),
        (MNIST, 2_500_000, 2.0, 8),
        (MNIST, 7_500_000, 0.0, 32),
    ],
)
def test_other_published_schedules(
    settings: RunSettings, shown: int, lod: float, resolution: int
) -> None:
    phase = phase_at(shown, settings)
    assert phase.lod == pytest.approx(lod, abs=1e-12)
    assert phase.resolution == resolution


def test_the_first_resolution_may_be_higher() -> None:
    settings = run_settings(64, first_resolution=16)
    assert phase_at(0, settings).resolution == 16
    assert phase_at(1_200_000, settings).lod == 1.5
    assert phase_at(10_000_000, settings).resolution == 64


def test_without_growing_nothing_ever_fades() -> None:
    settings = run_settings(128, growing=False, minibatch_size=64)
    for shown in (0, 800_001, 10_000_000):
        phase = phase_at(shown, settings)
        assert (phase.lod, phase.resolution, phase.alpha, phase.index) == (0, 128, 1, 0)


def test_strided_nets_keep_their_28_pixels() -> None:
    settings = RunSettings(
        preset="test",
        data=DataSettings(resolution=28),
        generator=GeneratorSettings(architecture="mnist-strided"),
        schedule=ScheduleSettings(total_kimg=10.0, growing=False),
    )
    assert phase_at(5, settings).resolution == 28
    assert [stretch.resolution for stretch in phases(settings)] == [28]


def test_a_schedule_without_fades_or_without_stable_parts() -> None:
    sudden = run_settings(16, stable_kimg=10.0, fade_kimg=0.0)
    assert [phase_at(shown, sudden).resolution for shown in (9_999, 10_000, 20_000)] == [4, 8, 16]
    restless = run_settings(16, stable_kimg=0.0, fade_kimg=10.0)
    assert phase_at(0, restless).resolution == 4
    assert phase_at(5_000, restless).alpha == 0.5
    assert phase_at(15_000, restless).resolution == 16


def test_learning_rates_hold_from_a_resolution_on_and_switch_where_its_fade_starts() -> None:
    settings = RunSettings(
        preset="test",
        data=DataSettings(resolution=1024),
        optimization=OptimizationSettings(learning_rates={128: 0.0015, 256: 0.002, 512: 0.003}),
        schedule=ScheduleSettings(total_kimg=15000.0),
    )
    rates = [phase_at(shown, settings).learning_rate for shown in (0, 7_200_000, 7_200_001)]
    assert rates == [0.001, 0.001, 0.0015]
    rates = [phase_at(shown, settings).learning_rate for shown in (8_800_001, 10_400_001)]
    assert rates == [0.002, 0.003]
    assert phase_at(14_000_000, settings).learning_rate == 0.003


def test_the_learning_rate_ramps_up_as_in_the_program() -> None:
    settings = RunSettings(
        preset="test",
        data=DataSettings(resolution=32),
        optimization=OptimizationSettings(rampup_kimg=40.0),
        schedule=ScheduleSettings(total_kimg=100.0),
    )
    rates = [
        phase_at(shown, settings).learning_rate
        for shown in (0, 10_000, 20_000, 39_999, 40_000, 50_000)
    ]
    # exp(-5), exp(-45 / 16), exp(-5 / 4)
    expected = [6.737947e-6, 6.005467e-5, 2.865048e-4, 0.001, 0.001, 0.001]
    assert rates == pytest.approx(expected, rel=1e-6)


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(UsageError, match="expected 0 or more"):
        phase_at(-1, PAPER)


def test_the_table_of_a_run() -> None:
    rows = [
        (part.from_kimg, part.to_kimg, part.resolution, part.fading, part.minibatch_size)
        for part in phases(PAPER)
    ]
    assert rows[:3] == [
        (0, 800, 4, False, 16),
        (800, 1600, 8, True, 16),
        (1600, 2400, 8, False, 16),
    ]
    assert rows[-2:] == [
        (10400, 11200, 512, True, 6),
        (11200, 12000, 512, False, 6),
    ]
    whole = phases(run_settings(8, total_kimg=2000.0))
    assert [part.to_kimg for part in whole] == [800, 1600, 2000]


growth = st.tuples(
    st.sampled_from([4, 8, 32, 256]), st.integers(0, 50), st.integers(1, 50), st.integers(1, 500)
)


def grown(growth: tuple[int, int, int, int]) -> RunSettings:
    """Built outside of the strategy: the checks of types draw random numbers."""
    resolution, stable, fade, total = growth
    return run_settings(resolution, stable_kimg=stable, fade_kimg=fade, total_kimg=total)


@given(growth, st.integers(0, 600_000), st.integers(0, 5000))
def test_resolution_never_falls_and_lod_never_jumps(
    growth: tuple[int, int, int, int], shown: int, more: int
) -> None:
    settings = grown(growth)
    before, after = phase_at(shown, settings), phase_at(shown + more, settings)
    assert after.resolution >= before.resolution
    assert after.index >= before.index
    assert 0 <= before.lod - after.lod <= more / 1000 / settings.schedule.fade_kimg + 1e-9


@given(growth, st.integers(0, 600_000))
def test_a_phase_is_what_lod_says(growth: tuple[int, int, int, int], shown: int) -> None:
    settings = grown(growth)
    phase = phase_at(shown, settings)
    whole = math.floor(phase.lod + 1e-12)
    assert phase.resolution == settings.data.resolution >> whole
    assert 0 < phase.alpha <= 1
    assert phase.alpha == pytest.approx(1 - max(phase.lod - whole, 0), abs=1e-9)


@given(growth)
def test_the_table_agrees_with_the_function(growth: tuple[int, int, int, int]) -> None:
    settings = grown(growth)
    table = phases(settings)
    assert table[0].from_kimg == 0
    assert table[-1].to_kimg == settings.schedule.total_kimg
    assert all(part.to_kimg == after.from_kimg for part, after in pairwise(table))
    for part in table:
        middle = phase_at(round((part.from_kimg + part.to_kimg) * 500), settings)
        assert (middle.resolution, middle.fading) == (part.resolution, part.fading)
        assert middle.minibatch_size == part.minibatch_size
