"""Files of settings: every setting with its description, and back again."""

import dataclasses
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_trainer.configuration import (
    DataSettings,
    DiscriminatorSettings,
    GeneratorSettings,
    LossSettings,
    OptimizationSettings,
    OutputSettings,
    RunSettings,
    ScheduleSettings,
    load_preset,
    read_settings,
    settings_toml,
)
from reference_trainer.configuration.catalogue import SECTIONS, describe
from reference_trainer.configuration.values import checked_value, toml_value

CLASSES = (
    DataSettings, DiscriminatorSettings, GeneratorSettings, LossSettings, OptimizationSettings,
    OutputSettings, RunSettings, ScheduleSettings,
)  # fmt: skip


@pytest.mark.parametrize("holder", CLASSES)
def test_every_setting_is_described_and_nothing_else(holder: type) -> None:
    described = describe(holder)
    names = [field.name for field in dataclasses.fields(holder)]
    assert sorted(described) == sorted(names)
    text = [lines for name, lines in described.items() if lines and name not in SECTIONS]
    assert all(len(lines) >= 2 for lines in text)  # type and description


def test_every_section_is_a_field_of_a_run() -> None:
    names = [field.name for field in dataclasses.fields(RunSettings)]
    assert [name for name in names if name in SECTIONS] == list(SECTIONS)


def test_no_two_sections_share_a_name() -> None:
    names = [field.name for holder in CLASSES for field in dataclasses.fields(holder)]
    assert {name for name in names if names.count(name) > 1} <= set(SECTIONS)


def test_a_description_is_read_off_a_docstring() -> None:
    class Example:
        """An example.

        Attributes
        ----------
        one : int
            The first,
            in two lines.
        two, three : float
            Together.

        Raises
        ------
        UsageError
            Never.
        """

    assert describe(Example) == {
        "one": ("int", "The first,", "in two lines."), "two": ("float", "Together."), "three": (),
    }  # fmt: skip


def test_the_file_of_a_run_literally() -> None:
    text = settings_toml(load_preset("smoke", changes=["minibatch_sizes.16=4", "epsilon=1e-8"]))
    assert text.startswith(
        "# str: The name of the preset that it began with.\n"
        'preset = "smoke"\n'
        "\n"
        "# int: GPUs that the preset's minibatch sizes are meant for; any other number works too.\n"
        "gpus = 1\n"
    )
    assert "\n[data]  # The real pictures.\n\n# int: Side of the square pictures that" in text
    assert "\nminibatch_sizes = {16 = 4}\n" in text
    assert "\nlearning_rates = {}\n" in text
    assert "\nepsilon = 1e-08\n" in text
    assert (
        '\n\n# tuple of {"swd", "ms-ssim", "modes"}: What is measured.\nmetrics = ["swd",' in text
    )
    assert max(map(len, text.splitlines())) <= 100


def test_every_key_is_written() -> None:
    written = tomllib.loads(settings_toml(load_preset("smoke")))
    assert list(written) == ["preset", "gpus", "seed", *SECTIONS]
    for section, holder in SECTIONS.items():
        assert list(written[section]) == [field.name for field in dataclasses.fields(holder)]


def test_settings_out_of_the_ordinary_read_back_equal(tmp_path: Path) -> None:
    settings = RunSettings(
        preset='a "quoted" \\ né 写',
        seed=2**70,
        data=DataSettings(resolution=64),
        optimization=OptimizationSettings(learning_rates={64: 1 / 3}, epsilon=5e-324),
        schedule=ScheduleSettings(total_kimg=1e22, minibatch_sizes={8: 1, 4: 2}),
        output=OutputSettings(metrics=()),
    )
    path = tmp_path / "settings.toml"
    path.write_text(settings_toml(settings), encoding="utf-8")
    assert read_settings(path) == settings


SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)


@given(st.one_of(SCALARS, st.lists(SCALARS)))
def test_tomllib_reads_what_is_written(value: object) -> None:
    assert tomllib.loads(f"value = {toml_value(value)}")["value"] == value


@given(st.floats(allow_nan=False))
def test_a_float_keeps_its_bits(value: float) -> None:
    read = tomllib.loads(f"value = {toml_value(value)}")["value"]
    assert checked_value(read, float) == value


def test_what_toml_has_not_is_refused() -> None:
    with pytest.raises(TypeError, match="TOML has no NoneType"):
        toml_value(None)
