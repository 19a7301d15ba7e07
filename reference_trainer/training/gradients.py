"""Gradients of one microbatch, added to those that the weights have.

Each part of a loss goes backward as soon as it is there, so that the graphs of D's verdict and of
the penalty are not in memory at once. Whatever is returned is a mean over the microbatch, apart
from its graph, times its part of the minibatch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from pgan_toolkit.errors import DataError
from reference_trainer import losses
from reference_trainer.configuration.settings import LossSettings
from reference_trainer.networks.convolution import derivable_twice
from reference_trainer.training.microbatches import Microbatch
from reference_trainer.training.parts import part

__all__ = ["Judge", "Learner", "Painter", "Verdict"]


@runtime_checkable
class Verdict(Protocol):
    """What D says of pictures."""

    @property
    def scores(self) -> Tensor:
        """Float tensor (N,), one for each picture."""

    @property
    def label_logits(self) -> Tensor | None:
        """Float tensor (N, K), or None where the run has no labels."""


@runtime_checkable
class Painter(Protocol):
    """G as a step calls it: its resolution and alpha are given."""

    def __call__(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """Make float pictures (N, C, r, r)."""


@runtime_checkable
class Judge(Protocol):
    """D as a step calls it: its alpha and noise are given."""

    def __call__(self, images: Tensor) -> Verdict:
        """Judge float pictures (N, C, r, r)."""


@dataclass(frozen=True)
class _Judged:
    """D's verdict in float32 at least, and the right labels."""

    scores: Tensor
    logits: Tensor | None
    labels: Tensor | None


@dataclass(frozen=True)
class Learner:
    """What the gradients are of.

    Attributes
    ----------
    settings : LossSettings
        Of the run.
    painter, judge
        The networks as this step calls them.
    painter_weights, judge_weights : sequence of nn.Parameter
        What learns.
    """

    settings: LossSettings
    painter: Painter
    judge: Judge
    painter_weights: Sequence[nn.Parameter]
    judge_weights: Sequence[nn.Parameter]

    def discriminator(self, batch: Microbatch) -> dict[str, Tensor]:
        """Add D's gradients."""
        with part("fakes for D"), torch.no_grad():
            fakes = self.painter(batch.latents, batch.labels)
        with part("D on fakes"):
            fake = self._judged(fakes, batch.labels)
        return self._judge_learns(batch, fakes, fake)

    def generator(self, batch: Microbatch) -> dict[str, Tensor]:
        """Add G's gradients."""
        with part("G"):
            fake = self._judged(self.painter(batch.latents, batch.labels), batch.labels)
            loss = self._painter_loss(fake)
            _backward(loss * batch.part, self.painter_weights)
        return _noted(batch, g_loss=loss)

    def both(self, batch: Microbatch) -> dict[str, Tensor]:
        """Add both networks' gradients, from the same fakes and one verdict on them."""
        with part("G, and D on fakes"):
            fakes = self.painter(batch.latents, batch.labels)
            shown = fakes.detach().requires_grad_()
            fake = self._judged(shown, batch.labels)
            loss = self._painter_loss(fake)
            (wanted,) = torch.autograd.grad(loss * batch.part, shown, retain_graph=True)
            torch.autograd.backward(fakes, wanted, inputs=self.painter_weights)
        return self._judge_learns(batch, shown.detach(), fake) | _noted(batch, g_loss=loss)

    def _judge_learns(self, batch: Microbatch, fakes: Tensor, fake: _Judged) -> dict[str, Tensor]:
        reals, mixing = batch.reals, batch.mixing
        if reals is None or mixing is None:
            raise DataError("the discriminator learns from reals too: expected a batch with reals")
        with part("D on reals, and its way back"):
            real = self._judged(reals, batch.real_labels)
            loss = self._judge_loss(real, fake)
            _backward(loss * batch.part, self.judge_weights)
        noted = _noted(batch, d_loss=loss, d_real=real.scores.mean(), d_fake=fake.scores.mean())
        if self.settings.loss != "wgan-gp" or self.settings.penalty_weight == 0:
            return noted
        return noted | self._judge_is_smoothed(
            batch, losses.mixed_images(reals, fakes, coefficients=mixing)
        )

    def _judge_is_smoothed(self, batch: Microbatch, mixed: Tensor) -> dict[str, Tensor]:
        with part("gradient penalty"), derivable_twice():
            norms = losses.gradient_norms(_exact(self.judge(mixed).scores), mixed)
            penalty = losses.gradient_penalty(
                norms, weight=self.settings.penalty_weight, target=self.settings.penalty_target
            )
            _backward(penalty * batch.part, self.judge_weights)
        return _noted(batch, penalty=penalty, gradient_norm=norms.mean())

    def _judged(self, images: Tensor, labels: Tensor | None) -> _Judged:
        verdict = self.judge(images)
        logits = verdict.label_logits
        return _Judged(_exact(verdict.scores), None if logits is None else _exact(logits), labels)

    def _judge_loss(self, real: _Judged, fake: _Judged) -> Tensor:
        loss = losses.critic_loss(
            real.scores,
            fake.scores,
            loss=self.settings.loss,
            fake_weight=self.settings.fake_weight,
        )
        if self.settings.drift > 0:
            loss = loss + self.settings.drift * losses.drift_penalty(real.scores)
        return loss + self._label_loss(real) + self._label_loss(fake)

    def _painter_loss(self, fake: _Judged) -> Tensor:
        loss = losses.generator_loss(fake.scores, loss=self.settings.loss)
        return loss + self._label_loss(fake)

    def _label_loss(self, judged: _Judged) -> Tensor | float:
        if judged.logits is None or self.settings.label_weight == 0:
            return 0.0
        if judged.labels is None:
            raise DataError("the pictures have no labels: a run with conditional=true needs them")
        return self.settings.label_weight * losses.label_loss(judged.logits, judged.labels)


def _backward(loss: Tensor, weights: Sequence[nn.Parameter]) -> None:
    """Add gradients of these weights alone: D's are not computed where G learns."""
    torch.autograd.backward(loss, inputs=weights)


def _noted(batch: Microbatch, **values: Tensor) -> dict[str, Tensor]:
    return {name: value.detach() * batch.part for name, value in values.items()}


def _exact(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))
