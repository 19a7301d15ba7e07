"""Presets in files of the user's, and what is refused in them."""

from pathlib import Path

import pytest

from pgan_toolkit.errors import DataError, UsageError
from reference_trainer.configuration import (
    load_preset,
    preset_names,
    read_settings,
    settings_toml,
)


@pytest.fixture
def write(tmp_path: Path):
    def write_file(text: str, name: str = "mine.toml") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write_file


def test_a_users_file_extends_a_preset(write) -> None:
    path = write(
        'extends = "table1-g"\nsummary = "Short"\nseed = 7\n[schedule]\ntotal_kimg = 2000\n'
    )
    mine, base = load_preset(path), load_preset("table1-g")
    assert (mine.preset, mine.seed, mine.schedule.total_kimg) == ("mine", 7, 2000)
    assert (mine.loss, mine.generator) == (base.loss, base.generator)


def test_a_users_file_extends_a_file_beside_it(write) -> None:
    write('extends = "smoke"\n[data]\nmirror = false\n', "base.toml")
    path = write('extends = "base.toml"\n[schedule]\nminibatch_size = 4\n')
    settings = load_preset(path)
    assert not settings.data.mirror
    assert settings.schedule.minibatch_size == 4
    assert settings.data.resolution == 16


def test_a_table_replaces_the_one_below(write) -> None:
    path = write('extends = "celebahq-1024"\n[schedule]\nminibatch_sizes = {512 = 4}\n')
    assert load_preset(path).schedule.minibatch_sizes == {512: 4}


def test_a_file_of_its_own_takes_the_defaults(write) -> None:
    settings = load_preset(write("[data]\nresolution = 64\n[schedule]\ntotal_kimg = 100\n"))
    assert (settings.data.resolution, settings.schedule.total_kimg) == (64, 100)
    assert settings.optimization.learning_rate == 0.001


def test_a_printed_configuration_is_a_preset(write) -> None:
    settings = load_preset("lsgan-1024", changes=["seed=3", "minibatch_sizes.512=4"])
    assert load_preset(write(settings_toml(settings))) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[schedul]\n", "no setting or section is called schedul; did you mean schedule"),
        ("[schedule]\ntotl_kimg = 1\n", r"\[schedule\] is called totl_kimg; did you mean total_"),
        ("[data]\ntotal_kimg = 1\n", r"total_kimg stands in \[data\]; expected it in \[schedule\]"),
        ("total_kimg = 1\n", r"above all sections; expected it in \[schedule\]"),
        ("[data]\nseed = 1\n", r"seed stands in \[data\]; expected it above all sections"),
        ("sed = 1\n", "called sed; did you mean seed"),
        ('extend = "smoke"\n', "called extend; did you mean extends"),
        ("[data]\nqqqqqqqqqq = 1\n", "called qqqqqqqqqq$"),
        ("data = 3\n", r"data = 3: expected a section, \[data\]"),
        ("extends = 3\n", "extends = 3: expected text"),
        ("summary = 3\n", "summary = 3: expected text"),
    ],
)
def test_unknown_names_are_refused_with_the_file(write, text: str, message: str) -> None:
    path = write(text)
    with pytest.raises(UsageError, match=message) as caught:
        load_preset(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("section", "line", "expected"),
    [
        ("data", "resolution = 128.0", "a whole number"),
        ("data", "resolution = true", "a whole number"),
        ("data", 'resolution = "128"', "a whole number"),
        ("data", "mirror = 1", "true or false"),
        ("schedule", "total_kimg = true", "a number"),
        ("schedule", "total_kimg = 2026-01-01", "a number"),
        ("schedule", "total_kimg = 10:00:00", "a number"),
        ("schedule", "minibatch_sizes = 3", "a table of resolutions, {256 = ...}, each with a wh"),
        ("schedule", "minibatch_sizes = {big = 3}", "a table of resolutions"),
        ("schedule", "minibatch_sizes = {256 = 3.5}", "a table of resolutions"),
        (
            "optimization",
            'learning_rates = {256 = "x"}',
            "a table of resolutions, {256 = ...}, each with a number",
        ),
        ("output", "grid = 8", "text"),
        ("output", 'metrics = "swd"', 'a list, ["..."], of swd or ms-ssim or modes'),
        ("output", 'metrics = ["fid"]', 'a list, ["..."], of swd or ms-ssim or modes'),
        ("loss", 'loss = "wgan"', "wgan-gp or lsgan or gan"),
        ("loss", "loss = [1]", "wgan-gp or lsgan or gan"),
    ],
)
def test_other_types_are_refused(write, section: str, line: str, expected: str) -> None:
    path = write(f'extends = "smoke"\n[{section}]\n{line}\n')
    with pytest.raises(UsageError) as caught:
        load_preset(path)
    name, _, value = line.partition(" = ")
    assert str(caught.value).startswith(f"{path}: {name} = {value}: expected {expected}")


@pytest.mark.parametrize(
    ("section", "line", "message"),
    [
        ("schedule", "total_kimg = nan", "total_kimg=nan: expected a number above 0"),
        ("schedule", "total_kimg = inf", "total_kimg=inf: expected a number above 0"),
        ("schedule", "minibatch_sizes = {100 = 4}", "minibatch_sizes: 100: expected a resolution"),
        ("optimization", "learning_rates = {2 = 0.1}", "learning_rates: 2: expected a resolution"),
        ("optimization", "beta2 = 1", "beta2=1.0: expected 0 or more, below 1"),
        ("data", "resolution = 48", "resolution=48: expected a power of two"),
        ("output", 'grid = "8"', 'grid=8: expected columns and rows, such as "8x4"'),
        ("output", 'grid = "0x4"', "grid=0x4: expected columns and rows"),
        ("output", 'metrics = ["swd", "swd"]', "expected each once"),
    ],
)
def test_values_out_of_range_are_refused(write, section: str, line: str, message: str) -> None:
    path = write(f'extends = "smoke"\n[{section}]\n{line}\n')
    with pytest.raises(UsageError) as caught:
        load_preset(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["", "a\\nb", "\\u007f"])
def test_a_presets_name_can_be_printed(write, name: str) -> None:
    with pytest.raises(UsageError, match="expected a name of printable characters"):
        load_preset(write(f'extends = "smoke"\npreset = "{name}"\n'))


def test_what_has_no_default_must_be_given(write) -> None:
    with pytest.raises(UsageError, match=r"\[data\] resolution is missing; write it, or begin"):
        load_preset(write("[schedule]\ntotal_kimg = 1\n"))
    with pytest.raises(UsageError, match=r"\[schedule\] total_kimg is missing"):
        load_preset(write("[data]\nresolution = 16\n"))
    with pytest.raises(UsageError, match="preset is missing"):
        read_settings(Path(write("[data]\nresolution = 16\n[schedule]\ntotal_kimg = 1\n")))


def test_presets_in_a_circle_are_refused(write) -> None:
    first = write('extends = "second.toml"\n', "first.toml")
    write('extends = "./first.toml"\n', "second.toml")
    with pytest.raises(UsageError, match=r"first.toml -> .*second.toml -> .*first.toml"):
        load_preset(first)
    itself = write('extends = "self.toml"\n', "self.toml")
    with pytest.raises(UsageError, match="presets extend each other"):
        load_preset(itself)


def test_an_unknown_preset_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"called celebahq-124; did you mean celebahq-1024\?"):
        load_preset("celebahq-124")
    with pytest.raises(UsageError, match="expected one of --list-presets; a file is named"):
        load_preset("qqqqqqqq")
    assert "unrolled" not in "".join(preset_names())


def test_an_unknown_preset_below_names_the_file(write) -> None:
    path = write('extends = "smok"\n')
    with pytest.raises(UsageError, match=r"did you mean smoke\?") as caught:
        load_preset(path)
    assert path in str(caught.value)


@pytest.mark.parametrize("load", [load_preset, lambda path: read_settings(Path(path))])
def test_files_that_are_no_settings(tmp_path: Path, load) -> None:
    with pytest.raises(DataError, match=r"none\.toml: cannot be read \(No such file"):
        load(str(tmp_path / "none.toml"))
    with pytest.raises(DataError, match="not a file"):
        load(f"{tmp_path}/")
    (tmp_path / "bad.toml").write_text("[data\n")
    with pytest.raises(DataError, match=r"bad\.toml: expected a TOML file of settings \(Expected"):
        load(str(tmp_path / "bad.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"binary\.toml: expected a TOML file of settings"):
        load(str(tmp_path / "binary.toml"))
    (tmp_path / "twice.toml").write_text("seed = 1\nseed = 2\n")
    with pytest.raises(DataError, match=r"twice\.toml: expected a TOML file of settings"):
        load(str(tmp_path / "twice.toml"))


def test_a_runs_file_extends_nothing(write) -> None:
    with pytest.raises(UsageError, match=r"no setting or section is called extends$"):
        read_settings(Path(write('extends = "smoke"\n')))
