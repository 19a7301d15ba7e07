import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reference_trainer import losses
from reference_trainer.adaptive_noise import AdaptiveNoise

REAL = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
FAKE = torch.tensor([0.0, 3.0, -1.0], dtype=torch.float64)


def test_losses_of_hand_computed_scores() -> None:
    log = math.log
    assert losses.critic_loss(REAL, FAKE, loss="wgan-gp").item() == pytest.approx(2 / 3 + 0.5 / 3)
    assert losses.generator_loss(FAKE, loss="wgan-gp").item() == pytest.approx(-2 / 3)
    # reals: 0, 9, 0.25; fakes: 0, 9, 1
    expected = (9.25 / 3 + 10 / 3) / 2
    assert losses.critic_loss(REAL, FAKE, loss="lsgan").item() == pytest.approx(expected)
    weighed = losses.critic_loss(REAL, FAKE, loss="lsgan", fake_weight=0.1).item()
    assert weighed == pytest.approx((9.25 / 3 + 0.1 * 10 / 3) / 2)
    assert losses.generator_loss(FAKE, loss="lsgan").item() == pytest.approx((1 + 4 + 4) / 6)
    chance = [1 / (1 + math.exp(-score)) for score in REAL.tolist()]
    fooled = [1 / (1 + math.exp(-score)) for score in FAKE.tolist()]
    expected = -sum(map(log, chance)) / 3 - sum(log(1 - value) for value in fooled) / 3
    assert losses.critic_loss(REAL, FAKE, loss="gan").item() == pytest.approx(expected)
    expected = -sum(map(log, fooled)) / 3
    assert losses.generator_loss(FAKE, loss="gan").item() == pytest.approx(expected)
    assert losses.drift_penalty(REAL).item() == pytest.approx(5.25 / 3)


def test_an_undecided_gan_loses_log_four() -> None:
    zero = torch.zeros(5)
    assert losses.critic_loss(zero, zero, loss="gan").item() == pytest.approx(math.log(4))
    assert losses.critic_loss(zero + 0.5, zero + 0.5, loss="lsgan").item() == pytest.approx(0.25)
    assert losses.critic_loss(zero, zero, loss="wgan-gp").item() == 0


def test_losses_of_extreme_scores_are_finite() -> None:
    far = torch.tensor([1e4, -1e4])
    for loss in ("wgan-gp", "lsgan", "gan"):
        assert losses.critic_loss(far, -far, loss=loss).isfinite()
        assert losses.generator_loss(far, loss=loss).isfinite()


@pytest.mark.parametrize("loss", ["wgan-gp", "lsgan", "gan"])
def test_gradients_are_those_of_finite_differences(loss: losses.Loss) -> None:
    real, fake = (scores.clone().requires_grad_() for scores in (REAL, FAKE))
    assert torch.autograd.gradcheck(
        lambda real, fake: losses.critic_loss(real, fake, loss=loss), (real, fake)
    )
    assert torch.autograd.gradcheck(lambda fake: losses.generator_loss(fake, loss=loss), (fake,))


@pytest.mark.parametrize("loss", ["wgan-gp", "lsgan", "gan"])
def test_the_mean_over_equal_parts_is_that_of_the_whole(loss: losses.Loss) -> None:
    numbers = torch.Generator().manual_seed(3)
    real, fake = torch.randn(2, 12, generator=numbers, dtype=torch.float64)
    parts = [
        losses.critic_loss(a, b, loss=loss)
        for a, b in zip(real.chunk(3), fake.chunk(3), strict=True)
    ]
    whole = losses.critic_loss(real, fake, loss=loss)
    torch.testing.assert_close(torch.stack(parts).mean(), whole)


@pytest.mark.parametrize("target", [1.0, 750.0])
def test_the_penalty_of_a_linear_critic_is_known(target: float) -> None:
    """D(x) = w x has the gradient w everywhere: lambda / gamma^2 (|w| - gamma)^2."""
    weight = torch.full((12,), 2.0, dtype=torch.float64, requires_grad=True)  # |w| = sqrt(48)
    images = torch.zeros(5, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    norms = losses.gradient_norms(images.flatten(1) @ weight, images)
    penalty = losses.gradient_penalty(norms, weight=10.0, target=target)
    length = math.sqrt(48)
    assert penalty.item() == pytest.approx(10 / target**2 * (length - target) ** 2)
    (gradient,) = torch.autograd.grad(penalty, weight)
    expected = 10 / target**2 * 2 * (length - target) * 2.0 / length  # of |w| it is w / |w|
    torch.testing.assert_close(gradient, torch.full_like(gradient, expected))


def test_norms_are_those_of_each_picture() -> None:
    """D(x) = sum x^2 / 2 has the gradient x."""
    images = torch.randn(4, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    images.requires_grad_()
    norms = losses.gradient_norms(images.square().sum((1, 2, 3)) / 2, images)
    expected = np.sqrt((images.detach().numpy() ** 2).sum(axis=(1, 2, 3)))
    np.testing.assert_allclose(norms.detach(), expected, rtol=1e-6)


def test_the_second_derivative_of_the_penalty_is_that_of_finite_differences() -> None:
    numbers = torch.Generator().manual_seed(1)
    images = torch.randn(3, 1, 4, 4, generator=numbers, dtype=torch.float64)
    kernel = torch.randn(2, 1, 3, 3, generator=numbers, dtype=torch.float64, requires_grad=True)

    def penalty(kernel: Tensor) -> Tensor:
        shown = images.clone().requires_grad_()
        scores = nn.functional.softplus(nn.functional.conv2d(shown, kernel)).sum((1, 2, 3))
        return losses.gradient_penalty(
            losses.gradient_norms(scores, shown), weight=10.0, target=2.0
        )

    assert torch.autograd.gradcheck(penalty, (kernel,))


def test_a_critic_without_any_gradient_has_a_finite_penalty() -> None:
    weight = torch.zeros(4, requires_grad=True)
    images = torch.ones(2, 1, 2, 2, requires_grad=True)
    penalty = losses.gradient_penalty(
        losses.gradient_norms(images.flatten(1) @ weight, images), weight=10.0, target=1.0
    )
    (gradient,) = torch.autograd.grad(penalty, weight)
    assert penalty.item() == 10
    assert gradient.isfinite().all()


def test_norms_of_half_precision_are_float32() -> None:
    images = torch.ones(2, 1, 2, 2, dtype=torch.bfloat16, requires_grad=True)
    assert losses.gradient_norms(images.flatten(1).sum(1), images).dtype == torch.float32


def test_mixed_images_lie_between() -> None:
    reals, fakes = torch.zeros(3, 1, 2, 2), torch.ones(3, 1, 2, 2, requires_grad=True)
    mixed = losses.mixed_images(reals, fakes, coefficients=torch.tensor([0.0, 0.25, 1.0]))
    assert mixed.detach()[:, 0, 0, 0].tolist() == [0.0, 0.25, 1.0]
    assert mixed.is_leaf
    assert mixed.requires_grad


def test_the_label_loss_is_the_cross_entropy() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]])
    expected = (math.log(4) + math.log(1 + 3 * math.exp(-2))) / 2
    assert losses.label_loss(logits, torch.tensor([3, 0])).item() == pytest.approx(expected)


def test_adaptive_noise_follows_the_running_mean() -> None:
    noise = AdaptiveNoise(0.2)
    assert noise.strength == 0
    for _ in range(3):
        noise.follow(1.0)  # 0.1, 0.19, 0.271
    assert noise.average == pytest.approx(0.271)
    assert noise.strength == 0
    for _ in range(10):
        noise.follow(1.0)
    expected = 1 - 0.9**13
    assert noise.average == pytest.approx(expected)
    assert noise.strength == pytest.approx(0.2 * (expected - 0.5) ** 2)


def test_adaptive_noise_of_signals_that_are_not_finite_or_below_zero() -> None:
    noise = AdaptiveNoise(0.2)
    noise.follow(math.nan)
    noise.follow(math.inf)
    assert noise.average == 0
    noise.follow(-50.0)
    assert noise.strength == 0
