import copy
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from small_runs import (
    FADING,
    STABLE,
    SmallReals,
    reals_of,
    small_settings,
    small_step,
    trained,
    weights_of,
)
from torch import Tensor

from pgan_toolkit.errors import DataError
from pgan_toolkit.randomness import generator
from reference_trainer.networks import build_networks
from reference_trainer.schedule import phase_at
from reference_trainer.training.optimizers import make_adam
from reference_trainer.training.step import TrainingStep


def numbers(purpose: str, update: int, *shape: int) -> Tensor:
    drawn = generator(0, purpose, update)
    if len(shape) == 2:
        return torch.from_numpy(drawn.standard_normal(shape, dtype="float32"))
    return torch.from_numpy(drawn.random(shape[0], dtype="float32"))


def seen(images: Tensor, alpha: float) -> Tensor:
    scaled = images.double() / 127.5 - 1
    blocks = scaled.reshape(*scaled.shape[:2], scaled.shape[2] // 2, 2, -1, 2).mean((3, 5))
    coarse = blocks.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return alpha * scaled + (1 - alpha) * coarse


def expected_wgan(settings, *, shown: int, joint: bool) -> tuple[dict[str, Tensor], dict]:
    """One step in float64, the whole loss at once, with an Adam of one line."""
    phase = phase_at(shown, settings)
    nets = build_networks(settings, generator=torch.Generator().manual_seed(0))
    g, d = nets.generator.double(), nets.discriminator.double()
    average = copy.deepcopy(g)
    reals = seen(reals_of(phase)().images, phase.alpha)

    def fakes_from(latents: Tensor) -> Tensor:
        return g(latents.double(), resolution=phase.resolution, alpha=phase.alpha)

    fakes = fakes_from(numbers("latents of D", 0, 8, 8))
    u = numbers("mixing of reals and fakes", 0, 8).double().reshape(8, 1, 1, 1)
    mixed = (reals + (fakes.detach() - reals) * u).requires_grad_()
    real, fake = (d(images, alpha=phase.alpha).scores for images in (reals, fakes.detach()))
    (slope,) = torch.autograd.grad(
        d(mixed, alpha=phase.alpha).scores.sum(), mixed, create_graph=True
    )
    gamma = settings.loss.penalty_target
    penalty = 10 / gamma**2 * ((slope.square().sum((1, 2, 3)).sqrt() - gamma) ** 2).mean()
    d_loss = fake.mean() - real.mean() + settings.loss.drift * (real**2).mean()

    if joint:
        g_loss = -d(fakes, alpha=phase.alpha).scores.mean()
        g_slopes = torch.autograd.grad(g_loss, list(g.parameters()), allow_unused=True)
    d_slopes = torch.autograd.grad(d_loss + penalty, list(d.parameters()), allow_unused=True)
    adam(d, d_slopes, phase.learning_rate)
    if not joint:
        g_loss = -d(fakes_from(numbers("latents of G", 0, 8, 8)), alpha=phase.alpha).scores.mean()
        g_slopes = torch.autograd.grad(g_loss, list(g.parameters()), allow_unused=True)
    adam(g, g_slopes, phase.learning_rate)
    with torch.no_grad():
        for mean, weight in zip(average.parameters(), g.parameters(), strict=True):
            mean.copy_(0.999 * mean + 0.001 * weight)
    weights = {
        f"{part}.{name}": value
        for part, net in (("generator", g), ("discriminator", d), ("generator_ema", average))
        for name, value in net.state_dict().items()
    }
    losses = {"d_loss": d_loss, "penalty": penalty, "g_loss": g_loss, "d_real": real.mean()}
    return weights, {name: value.item() for name, value in losses.items()}


def adam(net: torch.nn.Module, slopes: tuple[Tensor | None, ...], rate: float) -> None:
    """The first step of Adam with beta1 = 0 and epsilon = 1: g / (|g| + 1)."""
    with torch.no_grad():
        for weight, slope in zip(net.parameters(), slopes, strict=True):
            if slope is not None:
                weight.sub_(rate * slope / (slope.abs() + 1))


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("shown", [STABLE, FADING])
def test_a_step_is_what_the_paper_says(shown: int, joint: bool) -> None:
    settings = small_settings(joint_update=joint, penalty_target=2.0, drift=0.1)
    step, losses = trained(settings, shown=shown, steps=1)
    weights, expected = expected_wgan(settings, shown=shown, joint=joint)
    found = weights_of(step)
    assert found.keys() == weights.keys()
    for name, value in weights.items():
        torch.testing.assert_close(found[name].double(), value, rtol=1e-4, atol=2e-5, msg=name)
    for name, loss in expected.items():
        assert losses[name] == pytest.approx(loss, rel=1e-4, abs=1e-5), name


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("loss", ["wgan-gp", "lsgan", "gan"])
def test_accumulated_gradients_are_those_of_the_whole_minibatch(loss: str, joint: bool) -> None:
    whole, losses = trained(small_settings(loss=loss, joint_update=joint))
    parts, same = trained(small_settings(loss=loss, joint_update=joint, microbatch_size=2))
    assert losses == pytest.approx(same, rel=1e-4, abs=1e-5)
    for name, value in weights_of(whole).items():
        torch.testing.assert_close(weights_of(parts)[name], value, rtol=1e-4, atol=1e-5)


def test_the_statistic_of_a_minibatch_is_that_of_what_is_worked_on_at_once() -> None:
    whole, _ = trained(small_settings(minibatch_statistic="stddev", stddev_group=0), steps=1)
    parts, _ = trained(
        small_settings(minibatch_statistic="stddev", stddev_group=0, microbatch_size=4), steps=1
    )
    a, b = weights_of(whole), weights_of(parts)
    assert not all(torch.allclose(a[name], b[name], rtol=1e-4, atol=1e-5) for name in a)


def test_blocks_that_are_not_in_use_stay_as_they_are() -> None:
    settings = small_settings()
    step = small_step(settings)
    before = weights_of(step)
    phase = phase_at(STABLE, settings)
    step.run(phase, step=0, reals=reals_of(phase))
    after = weights_of(step)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("generator.") for name in changed)
    assert any(name.startswith("discriminator.") for name in changed)
    assert not any(".8." in name for name in changed)
    assert any(".8." in name for name in before)


def test_several_steps_of_the_discriminator_see_reals_of_their_own() -> None:
    settings = small_settings(discriminator_steps=3)
    step, phase = small_step(settings), phase_at(STABLE, settings)
    asked, following = [], reals_of(phase)

    def reals() -> SmallReals:
        asked.append(following())
        return asked[-1]

    step.run(phase, step=0, reals=reals)
    assert len(asked) == 3
    adam_d, adam_g = (step.parts()[name].state_dict()["state"] for name in ("adam_d", "adam_g"))
    assert {float(state["step"]) for state in adam_d.values()} == {3}
    assert {float(state["step"]) for state in adam_g.values()} == {1}


def test_a_reset_forgets_moments_and_steps() -> None:
    step, _ = trained(small_settings(), steps=2)
    assert step.parts()["adam_d"].state_dict()["state"]
    step.reset_optimizers()
    for name in ("adam_d", "adam_g"):
        assert step.parts()[name].state_dict()["state"] == {}


def test_a_loss_that_is_not_finite_changes_nothing_from_then_on() -> None:
    settings = small_settings()
    step, phase = small_step(settings), phase_at(FADING, settings)
    step.run(phase, step=0, reals=reals_of(phase))
    assert step.finite()
    before, moments = weights_of(step), copy.deepcopy(step.parts()["adam_d"].state_dict())
    broken = replace(phase, learning_rate=math.inf)  # seen by the step after it
    step._settings = small_settings(penalty_weight=1e39)  # more than float32 holds
    step.run(phase, step=1, reals=reals_of(phase))
    assert not step.finite()
    step._settings = settings
    step.run(broken, step=2, reals=reals_of(phase))
    assert not step.finite()
    for name, value in weights_of(step).items():
        assert torch.equal(value, before[name]), name
    after = step.parts()["adam_d"].state_dict()
    for index, state in moments["state"].items():
        for name, value in state.items():
            assert torch.equal(value, after["state"][index][name])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"loss": "lsgan", "noise": 0.2, "noise_signal": "output"},
        {"minibatch_statistic": "stddev", "microbatch_size": 4, "discriminator_steps": 2},
    ],
)
def test_a_step_goes_on_from_its_parts_bit_for_bit(changes: dict) -> None:
    settings = small_settings(**changes)
    phase = phase_at(FADING, settings)
    count = settings.optimization.discriminator_steps
    straight = small_step(settings)
    straight.load_state({"noise_average": 1.5})
    reals = reals_of(phase)
    for number in range(2):
        straight.run(phase, step=number, reals=reals)
    resumed = small_step(settings, seed=9)
    for name, part in straight.parts().items():
        resumed.parts()[name].load_state_dict(as_stored(part.state_dict()))
    resumed.load_state(straight.state())
    values = straight.run(phase, step=2, reals=reals)
    again = resumed.run(phase, step=2, reals=reals_of(phase, first=2 * count))
    assert values == again
    for name, value in weights_of(straight).items():
        assert torch.equal(weights_of(resumed)[name], value), name
    assert resumed.state() == straight.state()


def as_stored(value: Any) -> Any:
    """A state as a file gives it back: each tensor a copy, its numbers in order."""
    if isinstance(value, Tensor):
        return value.detach().clone(memory_format=torch.contiguous_format)
    if isinstance(value, dict):
        return {name: as_stored(inner) for name, inner in value.items()}
    return copy.deepcopy(value)


def test_a_state_without_the_noise_is_refused() -> None:
    with pytest.raises(DataError, match="expected noise_average"):
        small_step(small_settings()).load_state({})


@pytest.mark.parametrize("signal", ["output", "loss"])
def test_the_noise_follows_its_signal(signal: str) -> None:
    settings = small_settings(loss="lsgan", noise=0.2, noise_signal=signal)
    step, losses = trained(settings, steps=1)
    d = losses["d_real"] if signal == "output" else min(2 * losses["d_loss"], 1)
    assert step.state()["noise_average"] == pytest.approx(0.1 * d)


def test_noise_changes_what_is_learnt() -> None:
    settings = small_settings(loss="lsgan", noise=0.2)
    phase = phase_at(FADING, settings)
    quiet, loud = small_step(settings), small_step(settings)
    loud.load_state({"noise_average": 3.0})
    a, b = (step.run(phase, step=0, reals=reals_of(phase))["d_loss"] for step in (quiet, loud))
    assert a != b


def test_labels_add_their_cross_entropy() -> None:
    plain = small_settings(conditional=True, label_weight=0.0)
    weighted = small_settings(conditional=True, label_weight=1.0)
    (_, without), (_, with_labels) = (
        trained(settings, steps=1, labels=10) for settings in (plain, weighted)
    )
    # Untrained logits are about alike: log 10 for reals and again for fakes.
    assert with_labels["d_loss"] - without["d_loss"] == pytest.approx(2 * math.log(10), rel=0.5)
    assert with_labels["g_loss"] > without["g_loss"]


def test_reals_that_do_not_fit_are_refused() -> None:
    settings = small_settings(conditional=True)
    step, phase = small_step(settings, labels=10), phase_at(STABLE, settings)
    images = torch.zeros(8, 3, 4, 4, dtype=torch.uint8)
    with pytest.raises(DataError, match="no labels"):
        step.run(phase, step=0, reals=lambda: SmallReals(images))
    with pytest.raises(DataError, match="expected 8 of 4x4"):
        step.run(phase, step=0, reals=lambda: SmallReals(images[:4]))
    with pytest.raises(DataError, match=r"got \(8, 3, 8, 8\)"):
        step.run(phase, step=0, reals=lambda: SmallReals(images.repeat(1, 1, 2, 2)))


def test_loaded_moments_lie_in_memory_as_their_weights_do() -> None:
    """Fused kernels go by memory alone."""
    settings = small_settings(epsilon=1e-8).optimization
    layer: Any = torch.nn.Conv2d(2, 3, 3)
    layer = layer.to(memory_format=torch.channels_last)
    adam = make_adam(layer, settings)
    for _ in range(2):
        layer(torch.arange(18.0).reshape(1, 2, 3, 3)).sum().backward()
        adam.step()
    stored = copy.deepcopy(adam.state_dict())
    for state in stored["state"].values():
        state["exp_avg_sq"] = state["exp_avg_sq"].contiguous()
    other = copy.deepcopy(layer)
    loaded = make_adam(other, settings)
    loaded.load_state_dict(stored)
    moment = loaded.state[other.weight]["exp_avg_sq"]
    assert moment.stride() == other.weight.stride()
    assert torch.equal(moment, adam.state[layer.weight]["exp_avg_sq"])


def test_the_average_counts_each_step_of_g_once() -> None:
    settings = small_settings(discriminator_steps=2, ema_decay=0.5)
    step, phase = small_step(settings), phase_at(STABLE, settings)
    expected = {name: value.clone() for name, value in step.generator.state_dict().items()}
    reals = reals_of(phase)
    for number in range(3):
        step.run(phase, step=number, reals=reals)
        for name, value in step.generator.state_dict().items():
            expected[name] = (expected[name] + value) / 2
    for name, value in step.generator_ema.state_dict().items():
        torch.testing.assert_close(value, expected[name])


@pytest.mark.parametrize("joint", [False, True])
def test_the_average_has_running_statistics_of_its_own(joint: bool) -> None:
    """Those of G fit other weights; the program normalises by what the average itself makes."""
    settings = small_settings(g_normalization="batch", joint_update=joint, ema_decay=0.5)
    step, phase = small_step(settings), phase_at(FADING, settings)
    reals, expected = reals_of(phase), torch.zeros(8)
    for number in range(3):
        step.run(phase, step=number, reals=reals)
        weight = step.generator_ema.blocks["4"][0].scaled_weight()
        latents = numbers("latents of G", number, 8, 8)
        latents = latents * torch.rsqrt(latents.square().mean(1, keepdim=True) + 1e-8)
        made = (latents @ weight.t()).reshape(8, 8, 16)
        expected = 0.9 * expected + 0.1 * made.mean(dim=(0, 2))
    found = step.generator_ema.blocks["4"][0].norm.running_mean
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, step.generator.blocks["4"][0].norm.running_mean)
    assert not step.generator_ema.training


@pytest.mark.usefixtures("cuda")
def test_a_step_on_a_gpu_is_that_of_the_cpu() -> None:
    from reference_trainer.training.distributed import World

    settings = small_settings(precision="float32")
    cpu, losses = trained(settings)
    world = World(device=torch.device("cuda"))
    phase = phase_at(FADING, settings)
    gpu, reals = small_step(settings, world=world), reals_of(phase)

    def on_gpu() -> SmallReals:
        # Pinned: a copy from other memory waits for the device, which is an error here.
        return SmallReals(reals().images.pin_memory().cuda(non_blocking=True))

    with torch.cuda.device("cuda"):
        torch.cuda.set_sync_debug_mode("error")
        try:
            for number in range(3):
                values = gpu.run(phase, step=number, reals=on_gpu)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert isinstance(gpu, TrainingStep)
    assert {name: value.item() for name, value in values.items()} == pytest.approx(
        losses, rel=1e-3, abs=1e-4
    )
    for name, value in weights_of(gpu).items():
        torch.testing.assert_close(value.cpu(), weights_of(cpu)[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("loss", ["wgan-gp", "lsgan"])
def test_a_spoilt_step_changes_nothing_and_is_not_counted(loss: str) -> None:
    settings = small_settings(loss=loss, noise=1.0 if loss == "lsgan" else 0.0)
    step = small_step(settings)
    phase = phase_at(FADING, settings)
    reals = reals_of(phase)
    for number in range(2):
        step.run(phase, step=number, reals=reals)
    before, state = weights_of(step), step.state()
    moments = copy.deepcopy([step.parts()[name].state_dict() for name in ("adam_g", "adam_d")])
    assert (step.finite(), step.whole_steps()) == (True, 2)
    step.spoil()
    for number in range(2, 4):
        step.run(phase, step=number, reals=reals)
    assert (step.finite(), step.whole_steps()) == (False, 2)
    assert all(value.equal(before[name]) for name, value in weights_of(step).items())
    assert step.state() == state
    for name, expected in zip(("adam_g", "adam_d"), moments, strict=True):
        found = step.parts()[name].state_dict()["state"]
        for index, values in expected["state"].items():
            assert all(value.equal(found[index][key]) for key, value in values.items())
