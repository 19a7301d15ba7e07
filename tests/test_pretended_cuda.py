"""The GPU that is not there: what it lets pass, and what not."""

import pytest
import torch
from pretended_cuda import PretendedCuda
from torch import nn
from torch.nn import functional


def test_what_is_computed_there_is_what_the_host_computes(pretended_cuda: PretendedCuda) -> None:
    torch.manual_seed(0)
    net, images = nn.Conv2d(3, 4, 3), torch.randn(2, 3, 8, 8)

    def slope(device: str) -> torch.Tensor:
        shown = images.to(device).requires_grad_()
        score = functional.conv2d(shown, net.weight.detach().to(device)).square().sum()
        (first,) = torch.autograd.grad(score, shown, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), shown)
        assert second.device.type == device
        return second.cpu()

    assert torch.equal(slope("cuda"), slope("cpu"))


def test_a_module_moves_there_and_learns(pretended_cuda: PretendedCuda) -> None:
    net = nn.Conv2d(3, 4, 3).to("cuda")
    optimizer = torch.optim.Adam(net.parameters(), fused=True)
    before = net.weight.detach().cpu()
    net(torch.ones(1, 3, 4, 4, device="cuda")).sum().backward()
    optimizer.step()
    assert net.weight.grad.device == torch.device("cuda", 0)
    assert not torch.equal(net.weight.detach().cpu(), before)


@pytest.mark.parametrize(
    ("what", "error"),
    [
        (lambda values: values + torch.ones(3), "beside the device"),
        (lambda values: values.add_(torch.ones(3)), "beside the device"),
        (lambda values: torch.ones(3)[values.long()], "beside the device"),
        (lambda values: values.numpy(), "an array"),
        (lambda values: values.normal_(generator=torch.Generator()), "generator"),
        (lambda _: torch.randn(3, generator=torch.Generator("cuda")), "generator"),
    ],
)
def test_two_devices_in_one_operation_are_an_error(
    pretended_cuda: PretendedCuda, what, error: str
) -> None:
    with pytest.raises((RuntimeError, TypeError), match=error):
        what(torch.zeros(3, device="cuda"))


def test_what_would_wait_is_noted(pretended_cuda: PretendedCuda) -> None:
    values = torch.zeros(3, device="cuda")
    values.add_(1).mul_(torch.tensor(2.0)).sum()
    torch.zeros(3).to("cuda", non_blocking=True)
    assert pretended_cuda.waits == []
    values.sum().item()
    values[values > 0]
    values.cpu()
    torch.zeros(3).to("cuda")
    assert len(pretended_cuda.waits) == 4


def test_without_it_torch_is_as_it_was() -> None:
    assert torch.Generator.__module__ == "torch._C"
    assert torch.zeros(3).to("meta").device.type == "meta"
