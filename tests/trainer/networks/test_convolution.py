"""The convolution of the penalty: PyTorch's, with other derivatives of the same values."""

import pytest
import torch
from torch import Tensor
from torch.autograd import grad, gradcheck, gradgradcheck
from torch.nn import functional

from pgan_toolkit.devices import has_bfloat16
from reference_trainer.networks.convolution import by_pictures_alone, convolve, derivable_twice

WAYS = [(3, 1, 1), (1, 1, 0), (4, 1, 0), (3, 2, 0), (3, 2, 1)]
CPU = torch.device("cpu")


@pytest.fixture
def operands(rng) -> tuple[Tensor, Tensor, Tensor]:
    """Maps, kernels (of 4x4, to be cut) and biases."""
    shapes = ((2, 3, 8, 6), (4, 3, 4, 4), (4,))
    values, weight, bias = (
        torch.randn(shape, generator=rng, dtype=torch.float64, requires_grad=True)
        for shape in shapes
    )
    return values, weight, bias


def _derivatives(values: Tensor, weight: Tensor, bias: Tensor | None, **way: int) -> list[Tensor]:
    """A penalty as the trainer's, and one on the gradient by the weights, by all that there is."""
    made = convolve(values, weight, bias, **way)
    inputs = [values, weight] if bias is None else [values, weight, bias]
    first = grad(made.sin().sum(), inputs, create_graph=True)
    second = grad(sum(each.square().sum() for each in first), inputs, create_graph=True)
    third = grad(sum(each.cos().sum() for each in second), inputs)
    return [made, *first, *second, *third]


@pytest.mark.parametrize(("kernel", "stride", "padding"), WAYS)
@pytest.mark.parametrize("biased", [True, False])
def test_every_derivative_is_pytorch_s(
    operands, kernel: int, stride: int, padding: int, biased: bool
) -> None:
    values, weight, bias = operands
    given = (values, weight[..., :kernel, :kernel], bias if biased else None)
    expected = _derivatives(*given, stride=stride, padding=padding)
    with derivable_twice():
        found = _derivatives(*given, stride=stride, padding=padding)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("kernel", "stride", "padding"), WAYS)
def test_gradients_are_those_of_differences(
    operands, kernel: int, stride: int, padding: int
) -> None:
    values, weight, bias = operands
    given = (values, weight[..., :kernel, :kernel].detach().requires_grad_(), bias)

    def made(*inputs: Tensor) -> Tensor:
        return convolve(*inputs, stride=stride, padding=padding)

    with derivable_twice():
        assert gradcheck(made, given, fast_mode=True)
        assert gradgradcheck(made, given, fast_mode=True)


def test_within_the_penalty_no_convolution_has_maps_for_kernels(operands) -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    kernels = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if func is torch.ops.aten.convolution.default:
                kernels.append(tuple(args[1].shape[2:]))
            return func(*args, **(kwargs or {}))

    values, weight, bias = operands
    with derivable_twice(), Watch():
        scores = convolve(values, weight, bias).square().sum()
        (slope,) = grad(scores, values, create_graph=True)
        slope.square().sum().backward(inputs=[weight])
    assert set(kernels) == {(4, 4)}
    with Watch():
        scores = convolve(values, weight, bias).square().sum()
        (slope,) = grad(scores, values, create_graph=True)
        slope.square().sum().backward(inputs=[weight])
    assert set(kernels) != {(4, 4)}  # what it is there for


def test_weights_are_left_out_on_request_and_only_then(operands) -> None:
    values, weight, bias = operands
    with derivable_twice():
        made = convolve(values, weight, bias).sum()
        with by_pictures_alone():
            left_out = grad(made, [weight, bias, values], retain_graph=True, allow_unused=True)
        both = grad(made, [weight, bias, values])
    assert [value is None for value in left_out] == [True, True, False]
    assert [value is None for value in both] == [False, False, False]
    torch.testing.assert_close(left_out[2], both[2])


def test_a_failure_turns_it_off_again(operands) -> None:
    values, weight, _ = operands
    with pytest.raises(ZeroDivisionError), derivable_twice(), by_pictures_alone():
        raise ZeroDivisionError
    assert type(convolve(values, weight, None).grad_fn).__name__ == "ConvolutionBackward0"


@pytest.mark.skipif(not has_bfloat16(CPU), reason="no bfloat16 in hardware")
def test_autocast_s_type_is_computed_in(operands) -> None:
    values, weight, bias = (each.float() for each in operands)
    with torch.autocast("cpu", torch.bfloat16):
        expected = functional.conv2d(values, weight, bias)
        with derivable_twice():
            found = convolve(values, weight, bias)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, expected)
    (slope,) = grad(found.float().sum(), values)
    assert slope.dtype == torch.float32
