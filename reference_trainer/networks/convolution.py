"""A convolution all of whose derivatives are fast: what the gradient penalty is computed by.

y = x * w is linear in both, so that one form <x * w, g> has everything in it: the convolution, its
gradient by x, and its gradient by w. Each derivative of one of the three is another of the three,
of any order. PyTorch's own second derivative by w is instead a convolution with whole maps as
kernels and the pictures as channels, for which cuDNN and oneDNN have nothing fast (and oneDNN, in
bfloat16 with few pictures, nothing right); Karras et al. replaced it for the same reason in the
program of StyleGAN2-ADA (2020).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from reference_trainer.networks.autocast import exactly, in_autocasts_type

__all__ = ["by_pictures_alone", "convolve", "derivable_twice"]


class _Way(NamedTuple):
    """How a convolution moves over its pictures."""

    stride: int
    padding: int


class _Mode:
    """What holds for the whole process: on CUDA other threads than the caller's go backward."""

    derivable_twice = False
    by_pictures_alone = False


@contextmanager
def derivable_twice() -> Iterator[None]:
    """Compute convolutions so that the gradient of their gradient is fast, and right."""
    before, _Mode.derivable_twice = _Mode.derivable_twice, True
    try:
        yield
    finally:
        _Mode.derivable_twice = before


@contextmanager
def by_pictures_alone() -> Iterator[None]:
    """Leave gradients by weights out, for a gradient by the pictures in `derivable_twice`.

    autograd tells a function of Python that its weights need a gradient wherever they learn, though
    nobody asked for it now.
    """
    before, _Mode.by_pictures_alone = _Mode.by_pictures_alone, True
    try:
        yield
    finally:
        _Mode.by_pictures_alone = before


def convolve(
    values: Tensor, weight: Tensor, bias: Tensor | None, *, stride: int = 1, padding: int = 0
) -> Tensor:
    """Return `torch.nn.functional.conv2d`, within `derivable_twice` by other derivatives.

    Parameters
    ----------
    values : float tensor (N, C, H, W)
        Maps.
    weight : float tensor (D, C, k, k)
        Kernels.
    bias : float tensor (D,), or None
        Added.
    stride, padding : int
        Pixels, along both axes.

    Returns
    -------
    float tensor (N, D, H', W')
        In autocast's type where that is on.
    """
    if not _Mode.derivable_twice:
        return functional.conv2d(values, weight, bias, stride=stride, padding=padding)
    # Before, so that what is derived is of this type too.
    values, weight = in_autocasts_type(values), in_autocasts_type(weight)
    bias = None if bias is None else in_autocasts_type(bias)
    return _convolution(values, weight, bias, _Way(stride, padding))


class _Convolution(Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None, way: _Way) -> Tensor:
        ctx.save_for_backward(values, weight)
        ctx.way = way
        ctx.set_materialize_grads(False)
        return _convolved(values, weight, bias, way)

    @staticmethod
    def backward(ctx: Any, wanted: Tensor | None) -> tuple[Tensor | None, ...]:
        if wanted is None:
            return None, None, None, None
        values, weight = ctx.saved_tensors
        of_values, of_weight, of_bias, _ = ctx.needs_input_grad
        if _Mode.by_pictures_alone:
            of_weight = of_bias = False
        return (
            _by_pictures(wanted, weight, values, ctx.way) if of_values else None,
            _by_weights(values, wanted, weight, ctx.way) if of_weight else None,
            wanted.sum((0, 2, 3)) if of_bias else None,
            None,
        )


class _ByPictures(Function):
    """The gradient by the pictures; `like` has their shape, and only that is of interest."""

    @staticmethod
    def forward(ctx: Any, wanted: Tensor, weight: Tensor, like: Tensor, way: _Way) -> Tensor:
        ctx.save_for_backward(wanted, weight)
        ctx.way = way
        ctx.set_materialize_grads(False)
        return _gradient(wanted, like, weight, way, of_weight=False)

    @staticmethod
    def backward(ctx: Any, second: Tensor | None) -> tuple[Tensor | None, ...]:
        if second is None:
            return None, None, None, None
        wanted, weight = ctx.saved_tensors
        of_wanted, of_weight, _, _ = ctx.needs_input_grad
        return (
            _convolution(second, weight, None, ctx.way) if of_wanted else None,
            _by_weights(second, wanted, weight, ctx.way) if of_weight else None,
            None,
            None,
        )


class _ByWeights(Function):
    """The gradient by the weights; `like` has their shape, and only that is of interest."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, wanted: Tensor, like: Tensor, way: _Way) -> Tensor:
        ctx.save_for_backward(values, wanted)
        ctx.way = way
        ctx.set_materialize_grads(False)
        return _gradient(wanted, values, like, way, of_weight=True)

    @staticmethod
    def backward(ctx: Any, second: Tensor | None) -> tuple[Tensor | None, ...]:
        if second is None:
            return None, None, None, None
        values, wanted = ctx.saved_tensors
        of_values, of_wanted, _, _ = ctx.needs_input_grad
        return (
            _by_pictures(wanted, second, values, ctx.way) if of_values else None,
            _convolution(values, second, None, ctx.way) if of_wanted else None,
            None,
            None,
        )


# torch leaves `apply` untyped.
_convolution: Callable[..., Tensor] = _Convolution.apply
_by_pictures: Callable[..., Tensor] = _ByPictures.apply
_by_weights: Callable[..., Tensor] = _ByWeights.apply


def _convolved(values: Tensor, weight: Tensor, bias: Tensor | None, way: _Way) -> Tensor:
    with exactly(values.device):
        return functional.conv2d(values, weight, bias, stride=way.stride, padding=way.padding)


def _gradient(
    wanted: Tensor, values: Tensor, weight: Tensor, way: _Way, *, of_weight: bool
) -> Tensor:
    pair = [way.stride, way.stride], [way.padding, way.padding]
    mask = [not of_weight, of_weight, False]
    found = torch.ops.aten.convolution_backward(
        wanted, values, weight, None, *pair, [1, 1], False, [0, 0], 1, mask
    )
    gradient: Tensor = found[1 if of_weight else 0]
    return gradient
