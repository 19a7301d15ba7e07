import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.restoration.networks import RedNetConfig, SRResNetConfig
from pgan_toolkit.restoration.training import JointSettings, preset
from pgan_toolkit.restoration.training.settings import TrainingSettings
from pgan_toolkit.restoration.training.stages import Batch, make_stage
from pgan_toolkit.restoration.weights import save_network

CPU = torch.device("cpu")


def _batch(scale: int) -> Batch:
    generator = torch.Generator().manual_seed(1)
    target = torch.rand(2, 3, 32, 32, generator=generator)
    given = torch.nn.functional.avg_pool2d(target, scale) if scale > 1 else target * 0.9
    return Batch(given, target)


@pytest.mark.parametrize(("task", "scale"), [("jpeg", 1), ("superres", 4)])
def test_fidelity_lowers_its_loss(task: str, scale: int) -> None:
    stage = make_stage(preset("smoke", task=task), device=CPU)
    given, target = _batch(scale)
    losses = [stage.step([Batch(given, target)], index=index)["loss"] for index in range(12)]
    assert losses[-1] < losses[0]


def test_the_loss_is_the_mean_of_the_crops_negative_psnr() -> None:
    stage = make_stage(preset("smoke", task="superres"), device=CPU)
    given, target = _batch(4)
    target[0] = target[0] / 10  # another error than the other's
    with torch.no_grad():
        restored = stage.network(given).numpy()
    psnr = [
        peak_signal_noise_ratio(clean, found, data_range=1)
        for clean, found in zip(target.numpy(), restored, strict=True)
    ]
    assert abs(psnr[0] - psnr[1]) > 1
    # The step computes in bfloat16 where the hardware has it; the floor is 2 levels.
    loss = stage.step([Batch(given, target)], index=0)["loss"]
    assert loss == pytest.approx(-float(np.mean(psnr)), abs=0.05)


@pytest.mark.parametrize(("begun", "floor_levels"), [(0, 8.0), (9, 8.0), (10, 0.5)])
def test_a_crop_without_error_has_the_floor_for_loss(begun: int, floor_levels: float) -> None:
    settings = preset("smoke", task="jpeg")
    assert (settings.rough_steps, settings.floor_levels) == (10, 0.5)
    stage = make_stage(settings, device=CPU)
    torch.nn.init.zeros_(stage.network.last.weight)  # the identity
    _, target = _batch(1)
    loss = stage.step([Batch(target, target)], index=begun)["loss"]
    assert loss == pytest.approx(20 * math.log10(floor_levels / 255), rel=1e-4)


def test_a_fresh_jpeg_net_does_not_shrink_in_its_rough_steps_and_its_average_always_does(
    tmp_path: Path,
) -> None:
    settings = preset("smoke", task="jpeg")
    stage = make_stage(settings, device=CPU)
    for index, shrinks in ((0, False), (9, False), (10, True)):
        stage.step([_batch(1)], index=index)
        assert stage.network.shrinks is shrinks
        assert stage.average.shrinks
    save_network(tmp_path / "begun.safetensors", stage.average, task="jpeg")
    further = make_stage(replace(settings, init=tmp_path / "begun.safetensors"), device=CPU)
    further.step([_batch(1)], index=0)
    assert further.network.shrinks


def test_the_first_update_has_the_warmed_up_rate() -> None:
    """Adam's first step moves each weight by the learning rate, whatever the gradient."""
    settings = preset("smoke", task="jpeg")
    stage = make_stage(settings, device=CPU)
    stage.step([_batch(1)], index=0)
    moved = stage.network.last.bias.detach().abs().max()
    rise = 1 / settings.warmup_steps
    assert float(moved) == pytest.approx(settings.learning_rate * rise, rel=0.01)


def test_the_rate_ends_at_zero() -> None:
    settings = preset("smoke", task="jpeg")
    stage = make_stage(settings, device=CPU)
    before = stage.network.last.bias.detach().clone()
    stage.step([_batch(1)], index=settings.steps)
    assert torch.equal(stage.network.last.bias, before)


def test_the_average_follows_by_its_halflife() -> None:
    settings = TrainingSettings(
        task="jpeg",
        network=RedNetConfig(layers=2, maps=4),
        degradation=preset("smoke", task="jpeg").degradation,
        ema_halflife_steps=1,
        warmup_steps=1,
        crop_px=32,
    )
    stage = make_stage(settings, device=CPU)
    stage.step([_batch(1)], index=0)
    # It began at 0, so half of the way is half of the value.
    assert torch.allclose(stage.average.last.bias, stage.network.last.bias / 2)


def test_the_same_seed_gives_the_same_initial_weights_and_leaves_the_global_state() -> None:
    settings = preset("smoke", task="superres")
    state = torch.random.get_rng_state()
    first, again = (make_stage(settings, device=CPU).network.state_dict() for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_the_adversarial_stage_warms_its_discriminator_up_first() -> None:
    settings = preset("smoke", task="superres", adversarial=True)
    stage = make_stage(settings, device=CPU)
    before = {name: value.clone() for name, value in stage.network.state_dict().items()}
    warm = settings.adversarial.alone_steps
    for index in range(warm):
        assert set(stage.step([_batch(4)], index=index)) == {"discriminator"}
    assert all(torch.equal(before[n], v) for n, v in stage.network.state_dict().items())
    values = stage.step([_batch(4)], index=warm)
    assert set(values) == {"loss", "pixel", "feature", "adversarial", "discriminator"}
    assert not torch.equal(before["last.weight"], stage.network.last.weight)


@pytest.mark.parametrize("steps", [1, 5])
def test_an_adversarial_run_has_more_steps_than_its_discriminator_learns_alone(steps: int) -> None:
    settings = preset("smoke", task="superres", adversarial=True)
    with pytest.raises(UsageError, match=rf"steps={steps}: expected more than alone_steps=5\b"):
        replace(settings, steps=steps)
    assert replace(settings, steps=6).steps == 6
    assert replace(settings, adversarial=None, steps=steps).steps == steps


def test_the_adversarial_loss_is_the_weighted_sum_of_its_terms() -> None:
    settings = preset("smoke", task="superres", adversarial=True)
    terms = settings.adversarial
    stage = make_stage(settings, device=CPU)
    values = stage.step([_batch(4)], index=terms.alone_steps)
    expected = (
        terms.pixel_weight * values["pixel"]
        + terms.feature_weight * values["feature"]
        + terms.adversarial_weight * values["adversarial"]
    )
    assert values["loss"] == pytest.approx(expected, rel=1e-5)


def test_an_adversarial_run_gives_a_blend_with_what_it_began_from() -> None:
    settings = preset("smoke", task="superres", adversarial=True)
    stage = make_stage(settings, device=CPU)
    begun = stage.network.last.weight.detach().clone()
    for index in range(settings.adversarial.alone_steps, settings.adversarial.alone_steps + 3):
        stage.step([_batch(4)], index=index)
    reached = stage.average.last.weight
    assert not torch.equal(reached, begun)
    expected = begun + settings.adversarial.blend * (reached - begun)
    assert torch.allclose(stage.results()["superres"].last.weight, expected)
    assert torch.equal(stage.average.last.weight, reached)


def test_the_discriminator_learns_to_tell_and_its_hinge_loss_begins_near_two() -> None:
    stage = make_stage(preset("smoke", task="superres", adversarial=True), device=CPU)
    given, target = _batch(4)
    losses = [stage.step([Batch(given, target)], index=0)["discriminator"] for _ in range(60)]
    assert losses[0] == pytest.approx(2, abs=0.2)
    assert losses[-1] < losses[0] - 0.005


def test_a_loss_that_is_no_number_stops_the_run() -> None:
    stage = make_stage(preset("smoke", task="jpeg"), device=CPU)
    given, target = _batch(1)
    with pytest.raises(DataError, match="--learning-rate"):
        stage.step([Batch(given * math.nan, target)], index=0)


def test_settings_refuse_the_other_tasks_network() -> None:
    degradation = preset("smoke", task="jpeg").degradation
    with pytest.raises(UsageError, match="RedNetConfig"):
        TrainingSettings(task="jpeg", network=SRResNetConfig(), degradation=degradation)


@pytest.fixture
def jointly(tmp_path: Path) -> TrainingSettings:
    """Small networks, the JPEG net's weights in a file."""
    path = tmp_path / "jpeg.safetensors"
    first = make_stage(preset("smoke", task="jpeg"), device=CPU)
    save_network(path, first.network, task="jpeg")
    settings = preset("smoke", task="superres")
    return replace(settings, behind=path, joint=JointSettings())


def test_jointly_both_nets_learn_and_both_losses_fall(jointly: TrainingSettings) -> None:
    stage = make_stage(jointly, device=CPU)
    before = {task: net.last.weight.clone() for task, net in stage.results().items()}
    losses = [stage.step([_batch(4), _batch(1)], index=index) for index in range(12)]
    assert losses[-1]["loss"] < losses[0]["loss"]
    assert losses[-1]["jpeg_loss"] < losses[0]["jpeg_loss"]
    assert set(before) == {"jpeg", "superres"}
    for task, network in stage.results().items():
        assert not torch.equal(network.last.weight, before[task])


def test_jointly_the_enlarged_pictures_error_reaches_the_jpeg_net(
    jointly: TrainingSettings,
) -> None:
    alone = replace(jointly, joint=JointSettings(weight=0.0))
    stage = make_stage(alone, device=CPU)
    before = stage.results()["jpeg"].last.weight.clone()
    stage.step([_batch(4), _batch(1)], index=0)
    assert not torch.equal(stage.results()["jpeg"].last.weight, before)


def test_jointly_what_a_run_shows_went_through_both_nets(jointly: TrainingSettings) -> None:
    stage = make_stage(jointly, device=CPU)
    given, _ = _batch(4)
    nets = stage.results()
    assert torch.equal(stage.restore(given), nets["superres"](nets["jpeg"](given).clamp(0, 1)))


def test_jointly_needs_a_jpeg_net_and_fidelity(jointly: TrainingSettings) -> None:
    with pytest.raises(UsageError, match="--jointly"):
        replace(jointly, behind=None)
    adversarial = preset("smoke", task="superres", adversarial=True).adversarial
    with pytest.raises(UsageError, match="--jointly"):
        replace(jointly, adversarial=adversarial)
