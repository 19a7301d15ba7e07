"""The page of presets says what the presets are."""

import re
from itertools import groupby
from pathlib import Path

import pytest

from reference_trainer.configuration import RunSettings, load_preset, preset_names

PAGE = Path(__file__).resolve().parents[3] / "docs" / "trainer" / "presets.md"


def _rows() -> dict[str, tuple[str, ...]]:
    """The tables' rows by the name in their first column."""
    found: dict[str, tuple[str, ...]] = {}
    for line in PAGE.read_text().splitlines():
        row = re.fullmatch(r"\| `([a-z0-9-]+)` \| (.*) \|", line)
        if row:
            assert row[1] not in found, f"{row[1]} is there twice"
            found[row[1]] = tuple(row[2].split(" | "))
    return found


def test_the_page_has_every_preset_and_no_other() -> None:
    assert sorted(_rows()) == sorted(preset_names())


@pytest.mark.parametrize("name", preset_names())
def test_a_row_has_the_presets_numbers(name: str) -> None:
    settings = load_preset(name)
    assert _rows()[name][1:] == (
        str(settings.data.resolution),
        _minibatches(settings),
        _phases(settings),
        f"{settings.schedule.total_kimg:,g}",
    )


def _phases(settings: RunSettings) -> str:
    schedule = settings.schedule
    return f"{schedule.stable_kimg:g} + {schedule.fade_kimg:g}" if schedule.growing else "none"


def _minibatches(settings: RunSettings) -> str:
    """Sizes at the resolutions that the run goes through: "4-128: 16, 256: 14"."""
    schedule, last = settings.schedule, settings.data.resolution
    if not schedule.growing:
        return str(schedule.minibatch_sizes.get(last, schedule.minibatch_size))
    powers = [2**power for power in range(2, 13) if schedule.first_resolution <= 2**power <= last]
    runs = [
        (size, list(run))
        for size, run in groupby(
            powers, lambda power: schedule.minibatch_sizes.get(power, schedule.minibatch_size)
        )
    ]
    if len(runs) == 1:
        return str(runs[0][0])
    return ", ".join(
        f"{run[0]}: {size}" if len(run) == 1 else f"{run[0]}-{run[-1]}: {size}"
        for size, run in runs
    )
