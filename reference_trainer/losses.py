"""What the networks learn from: pure functions over the discriminator's scores.

A score is D's output for one picture: (N,), float32 or float64. Every function gives a mean over
the pictures, so that the mean over equal parts of a minibatch is that of the whole: gradients of
parts, and of processes, can be averaged.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from reference_trainer.networks.convolution import by_pictures_alone

__all__ = [
    "critic_loss",
    "drift_penalty",
    "generator_loss",
    "gradient_norms",
    "gradient_penalty",
    "label_loss",
    "mixed_images",
]

Loss = Literal["wgan-gp", "lsgan", "gan"]


def critic_loss(real: Tensor, fake: Tensor, *, loss: Loss, fake_weight: float = 1.0) -> Tensor:
    """Return what D is to make small, without penalties.

    Parameters
    ----------
    real, fake : float tensor (N,)
        D's scores of reals and of fakes.
    loss : {"wgan-gp", "lsgan", "gan"}
        mean D(fake) - mean D(real) (Gulrajani et al. 2017, equation 3);
        half the mean square of D(real) - 1 and of D(fake) (Mao et al. 2016, equation 9, where reals
        have the label 1 and fakes 0);
        mean -log s(D(real)) - log(1 - s(D(fake))) with the logistic function s (Goodfellow et al.
        2014, equation 1).
    fake_weight : float
        Of the fakes' part of lsgan's loss.

    Returns
    -------
    float tensor ()
    """
    if loss == "wgan-gp":
        return fake.mean() - real.mean()
    if loss == "lsgan":
        return ((real - 1).square().mean() + fake_weight * fake.square().mean()) / 2
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()


def generator_loss(fake: Tensor, *, loss: Loss) -> Tensor:
    """Return what G is to make small.

    Parameters
    ----------
    fake : float tensor (N,)
        D's scores of fakes.
    loss : {"wgan-gp", "lsgan", "gan"}
        -mean D(fake); half the mean square of D(fake) - 1; mean -log s(D(fake)), which does not
        saturate (Goodfellow et al. 2014, section 3).

    Returns
    -------
    float tensor ()
    """
    if loss == "wgan-gp":
        return -fake.mean()
    if loss == "lsgan":
        return (fake - 1).square().mean() / 2
    return functional.softplus(-fake).mean()


def drift_penalty(real: Tensor) -> Tensor:
    """Return the mean square of D's scores of reals, (N,): it keeps them near 0 (appendix A.1)."""
    return real.square().mean()


def mixed_images(reals: Tensor, fakes: Tensor, *, coefficients: Tensor) -> Tensor:
    """Return pictures on the lines between reals and fakes, where the penalty is taken.

    Parameters
    ----------
    reals, fakes : float tensor (N, C, r, r)
        Pictures.
    coefficients : float tensor (N,)
        0 gives the real, 1 the fake; uniform in training.

    Returns
    -------
    float tensor (N, C, r, r)
        Apart from the graph of both, and a leaf that takes gradients.
    """
    mixed = torch.lerp(reals.detach(), fakes.detach(), coefficients.reshape(-1, 1, 1, 1))
    return mixed.requires_grad_()


def gradient_norms(scores: Tensor, images: Tensor) -> Tensor:
    """Return the Euclidean norm of each picture's gradient of the sum of the scores.

    Parameters
    ----------
    scores : float tensor (N,)
        Of the pictures.
    images : float tensor (N, C, r, r)
        What the scores were computed from; takes gradients.

    Returns
    -------
    float tensor (N,)
        Differentiable; float32 at least.
    """
    with by_pictures_alone():
        (gradients,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    exact = torch.promote_types(gradients.dtype, torch.float32)
    norms: Tensor = torch.linalg.vector_norm(gradients.to(exact).flatten(1), dim=1)
    return norms


def gradient_penalty(norms: Tensor, *, weight: float, target: float) -> Tensor:
    """Return lambda / gamma^2 times the mean of (norm - gamma)^2 (section 6.1; appendix A.1).

    Parameters
    ----------
    norms : float tensor (N,)
        See `gradient_norms`.
    weight : float
        Lambda.
    target : float
        Gamma, above 0.

    Returns
    -------
    float tensor ()
    """
    return (norms - target).square().mean() * (weight / target**2)


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of labels (AC-GAN: Odena et al. 2017), in nats.

    D adds it for reals and for fakes, G for fakes.

    Parameters
    ----------
    logits : float tensor (N, K)
        D's, of one picture each.
    labels : int64 tensor (N,)
        0 to K - 1.

    Returns
    -------
    float tensor ()
    """
    return functional.cross_entropy(logits, labels)
