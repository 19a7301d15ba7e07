"""The penalty's gradient in bfloat16 on a CPU, at every size of a microbatch."""

import copy

import pytest
import torch
from small_runs import small_settings
from torch import Tensor

from pgan_toolkit.devices import has_bfloat16
from reference_trainer.networks import Discriminator, build_networks
from reference_trainer.training.gradients import Learner
from reference_trainer.training.microbatches import Microbatch
from reference_trainer.training.precision import computing

CPU = torch.device("cpu")


def slopes(judge: Discriminator, reals: Tensor, fakes: Tensor, *, precision: str) -> Tensor:
    """The gradient of D's first 3x3 convolution, penalty included."""
    settings = small_settings(penalty_weight=1000.0)  # so that the penalty's share is most of it
    learner = Learner(
        settings=settings.loss,
        painter=lambda latents, labels: fakes,
        judge=judge,
        painter_weights=[],
        judge_weights=list(judge.parameters()),
    )
    half = torch.full((len(reals),), 0.5)
    batch = Microbatch(
        part=1.0, latents=torch.zeros(len(reals), 8), labels=None, mixing=half, reals=reals
    )
    with computing(precision, CPU):
        learner.discriminator(batch)
    weight = judge.blocks["16"].layers[0].weight
    assert weight.grad is not None
    return weight.grad


@pytest.mark.skipif(not has_bfloat16(CPU), reason="no bfloat16 in hardware")
@pytest.mark.parametrize("pictures", [1, 2, 4, 7, 8, 12, 14, 16, 24])
def test_bfloat16_leaves_the_penalty_its_gradient(pictures: int) -> None:
    settings = small_settings(resolution=16)
    drawn = torch.Generator().manual_seed(pictures)
    judge = build_networks(settings, generator=drawn).discriminator
    reals, fakes = (torch.randn(pictures, 3, 16, 16, generator=drawn) for _ in range(2))
    exact = slopes(copy.deepcopy(judge), reals, fakes, precision="float32")
    rough = slopes(copy.deepcopy(judge), reals, fakes, precision="bfloat16")
    assert float((rough - exact).norm()) < 0.15 * float(exact.norm())
