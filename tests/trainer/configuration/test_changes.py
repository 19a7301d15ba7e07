"""Changes to single settings, as --set gives them."""

import pytest

from pgan_toolkit.errors import UsageError
from reference_trainer.configuration import RunSettings, load_preset


def _changed(*changes: str) -> RunSettings:
    return load_preset("celebahq-1024", changes=changes)


def test_a_name_alone_and_with_its_section() -> None:
    for change in ("total_kimg=2000", "schedule.total_kimg=2000", " schedule.total_kimg = 2e3 "):
        assert _changed(change).schedule.total_kimg == 2000


def test_nothing_else_changes() -> None:
    assert _changed("total_kimg=19000") == load_preset("celebahq-1024")


def test_the_last_change_holds() -> None:
    assert _changed("seed=1", "seed=2").seed == 2


@pytest.mark.parametrize("value", ["bfloat16", '"bfloat16"', "'bfloat16'"])
def test_texts_need_no_quotes(value: str) -> None:
    assert _changed(f"precision={value}").optimization.precision == "bfloat16"


def test_values_in_tomls_syntax() -> None:
    assert _changed("mirror=false").data.mirror is False
    assert _changed("grid=6x3").output.grid == "6x3"
    assert _changed('metrics=["swd"]').output.metrics == ("swd",)
    assert _changed("metrics=[]").output.metrics == ()
    assert _changed("rampup_kimg=4").optimization.rampup_kimg == 4.0
    assert isinstance(_changed("rampup_kimg=4").optimization.rampup_kimg, float)


def test_sections_that_are_settings_too() -> None:
    assert _changed("loss=lsgan").loss.loss == "lsgan"
    assert _changed("loss.loss=lsgan") == _changed("loss=lsgan")
    assert _changed("output=tanh").generator.output == "tanh"
    assert _changed("generator.output=tanh") == _changed("output=tanh")


def test_a_whole_table_and_one_entry_of_it() -> None:
    assert _changed("minibatch_sizes={512=4}").schedule.minibatch_sizes == {512: 4}
    for change in ("minibatch_sizes.512=4", "schedule.minibatch_sizes.512=4"):
        sizes = _changed(change).schedule.minibatch_sizes
        assert sizes == {256: 14, 512: 4, 1024: 3}
        assert list(sizes) == [256, 512, 1024]
    assert _changed("minibatch_sizes.64=8").schedule.minibatch_sizes[64] == 8
    assert _changed("learning_rates.1024=0.002").optimization.learning_rates == {1024: 0.002}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("total_kimg", "expected name=value, such as total_kimg=2000"),
        ("", "expected name=value"),
        ("=3", "no setting is called "),
        ("totl_kimg=1", "no setting is called totl_kimg; did you mean total_kimg?"),
        ("schedul.total_kimg=1", "no setting is called schedul; did you mean schedule?"),
        ("schedule.totl_kimg=1", "no setting in schedule is called totl_kimg; did you mean tot"),
        ("data.total_kimg=1", "no setting in data is called total_kimg; did you mean total_kimg?"),
        ("schedule=1", "schedule is a section; expected one of its settings: total_kimg, growing"),
        ("total_kimg=", 'total_kimg = "": expected a number'),
        ("total_kimg=long", 'total_kimg = "long": expected a number'),
        ("total_kimg.3=1", "total_kimg = {3 = 1}: expected a number"),
        ("minibatch_sizes.x=3", "expected a table of resolutions"),
        ("minibatch_sizes.512=x", "expected a table of resolutions"),
        ("minibatch_size=16.5", "minibatch_size = 16.5: expected a whole number"),
        ("seed=1\nmirror = false", "seed = "),
        ("preset=other", "the preset is chosen by --preset"),
        ("extends=smoke", "no setting is called extends"),
        ("loss=wgan", "loss = \"wgan\": expected wgan-gp or lsgan or gan"),
    ],
)  # fmt: skip
def test_bad_changes_are_refused(change: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        _changed(change)
    assert str(caught.value).startswith(f"--set {change}: ")
    assert message in str(caught.value)


def test_values_that_do_not_fit_name_preset_and_changes() -> None:
    with pytest.raises(UsageError, match=r"celebahq-1024 --set noise=0\.1: .*expected loss=lsgan"):
        _changed("noise=0.1")
