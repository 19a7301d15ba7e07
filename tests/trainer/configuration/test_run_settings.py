"""What the settings refuse: values out of range, and sections that do not fit each other."""

import pytest

from pgan_toolkit.errors import UsageError
from reference_trainer.configuration import load_preset


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("resolution=2", "resolution=2: expected 4 to 4096 pixels"),
        ("resolution=8192", "resolution=8192: expected 4 to 4096 pixels"),
        ("latent_size=0", "latent_size=0: expected 1 or more"),
        ("d_map_most=0", "d_map_most=0: expected 1 or more"),
        ("leak=1.5", "leak=1.5: expected 0 to 1"),
        ("stddev_group=-1", "stddev_group=-1: expected 0 or more"),
        ("drift=-0.1", "drift=-0.1: expected 0 or more"),
        ("drift=inf", "drift=inf: expected 0 or more"),
        ("penalty_target=0", "penalty_target=0.0: expected a number above 0"),
        ("learning_rate=nan", "learning_rate=nan: expected a number above 0"),
        ("learning_rates={8=0}", "learning_rates: 0.0 at 8: expected more than 0"),
        ("ema_decay=1", "ema_decay=1.0: expected 0 or more, below 1"),
        ("discriminator_steps=0", "discriminator_steps=0: expected 1 or more"),
        ("minibatch_size=0", "minibatch_size=0: expected 1 or more"),
        ("minibatch_sizes={8=0}", "minibatch_sizes: 0 at 8: expected 1 or more"),
        ("minibatch_sizes={8192=1}", "minibatch_sizes: 8192: expected a resolution"),
        ("total_kimg=0", "total_kimg=0.0: expected a number above 0"),
        ("keep_checkpoints=0", "keep_checkpoints=0: expected 1 or more"),
        ("metrics_images=1", "metrics_images=1: expected 2 or more"),
        ("gpus=0", "gpus=0: expected 1 or more"),
        ("latent_size=200000000", "latent_size=200000000: expected 134,217,728 or less"),
        ("minibatch_size=2000000", "minibatch_size=2000000: expected 1,048,576 or less"),
        (
            "minibatch_sizes={8=2000000}",
            "minibatch_sizes: 2000000 at 8: expected 1,048,576 or less",
        ),
        ("total_kimg=1e301", "total_kimg=1e+301: expected 1e+300 or less"),
        pytest.param("total_kimg=1" + 400 * "0", "expected a number", id="beyond all floats"),
        ("seed=-1", "seed=-1: expected 0 or more"),
        ("first_resolution=32", "first_resolution=32: expected a power of two, 4 to 16"),
        ("architecture=mnist-strided", "expected resolution=28 and growing=false"),
        ("noise=0.2", "noise=0.2: expected loss=lsgan, or noise=0"),
    ],
)
def test_one_value(change: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_preset("smoke", changes=[change])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["stable_kimg=0", "fade_kimg=0"], "expected one of them above 0"),
        (["joint_update=true", "discriminator_steps=5"], "expected discriminator_steps=1"),
        (["conditional=true", "architecture=mnist-pooled"], "expected architecture=table2"),
    ],
)
def test_values_together(changes: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_preset("smoke", changes=changes)
    assert message in str(caught.value)


def test_a_table_may_name_the_resolution_of_a_run_of_28_pixels() -> None:
    settings = load_preset("mnist1k-half-gan-pacgan", changes=["minibatch_sizes.28=6"])
    assert settings.schedule.minibatch_sizes == {28: 6}
    with pytest.raises(UsageError, match="minibatch_sizes: 28: expected a resolution"):
        load_preset("mnist1k-half-gan", changes=["minibatch_sizes.28=6"])


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        load_preset("smoke").seed = 3  # type: ignore[misc]
