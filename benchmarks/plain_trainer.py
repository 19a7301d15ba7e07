"""A step of the paper's training in PyTorch, layer by layer: what ours is timed against.

Networks of Table 2 as they are at one resolution, where nothing fades, and WGAN-GP, as a careful
person would first write them down from the paper: float32, PyTorch's layout and Adam as they come,
every gradient computed by `backward`, the average of the weights kept by a loop.
"""

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["PlainDiscriminator", "PlainGenerator", "PlainStep", "maps_at"]

LATENT_SIZE = 512


def maps_at(resolution: int) -> int:
    """Return the feature maps of Table 2 at a resolution."""
    return min(16384 // resolution, 512)


class Conv(nn.Module):
    """A convolution with equalised learning rate."""

    def __init__(self, inputs: int, outputs: int, kernel: int, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain / math.sqrt(inputs * kernel**2)
        self.padding = 1 if kernel == 3 else 0

    def forward(self, x: Tensor) -> Tensor:
        """Take (N, inputs, H, W)."""
        return functional.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


class Dense(nn.Module):
    """A dense layer with equalised learning rate."""

    def __init__(self, inputs: int, outputs: int, biases: int, gain: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(biases))
        self.scale = gain / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """Take (N, inputs)."""
        bias = self.bias.repeat_interleave(len(self.weight) // len(self.bias))
        return functional.linear(x, self.weight * self.scale, bias)


def pixel_norm(x: Tensor) -> Tensor:
    """Divide by the root mean square over the maps."""
    return x / torch.sqrt(torch.mean(x**2, dim=1, keepdim=True) + 1e-8)


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU."""
    return functional.leaky_relu(x, 0.2)


def stddev(x: Tensor) -> Tensor:
    """Add the map of the minibatch standard deviation."""
    deviation = torch.sqrt(x.var(dim=0, unbiased=False) + 1e-8).mean()
    return torch.cat([x, deviation.expand(len(x), 1, *x.shape[2:])], dim=1)


class PlainGenerator(nn.Module):
    """G up to a resolution."""

    def __init__(self, resolution: int) -> None:
        super().__init__()
        maps = maps_at(4)
        self.first = Dense(LATENT_SIZE, maps * 16, maps, math.sqrt(2) / 4)
        self.convs = nn.ModuleList([Conv(maps, maps, 3)])
        size = 4
        while size < resolution:
            size *= 2
            before, maps = maps, maps_at(size)
            self.convs.extend([Conv(before, maps, 3), Conv(maps, maps, 3)])
        self.to_rgb = Conv(maps, 3, 1, gain=1.0)

    def forward(self, z: Tensor) -> Tensor:
        """Make pictures (N, 3, r, r) of latents (N, 512)."""
        x = self.first(pixel_norm(z)).reshape(len(z), -1, 4, 4)
        x = pixel_norm(activate(x))
        for index, conv in enumerate(self.convs):
            if index % 2 == 1:
                x = functional.interpolate(x, scale_factor=2)
            x = pixel_norm(activate(conv(x)))
        images: Tensor = self.to_rgb(x)
        return images


class PlainDiscriminator(nn.Module):
    """D down from a resolution."""

    def __init__(self, resolution: int) -> None:
        super().__init__()
        maps = maps_at(resolution)
        self.from_rgb = Conv(3, maps, 1)
        self.convs = nn.ModuleList()
        size = resolution
        while size > 4:
            size //= 2
            before, maps = maps, maps_at(size)
            self.convs.extend([Conv(before, before, 3), Conv(before, maps, 3)])
        self.last = Conv(maps + 1, maps, 3)
        self.full = Conv(maps, maps, 4)
        self.score = Dense(maps, 1, 1, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Score pictures (N, 3, r, r): (N,)."""
        x = activate(self.from_rgb(x))
        for index, conv in enumerate(self.convs):
            x = activate(conv(x))
            if index % 2 == 1:
                x = functional.avg_pool2d(x, 2)
        x = activate(self.last(stddev(x)))
        x = activate(self.full(x)).flatten(1)
        scores: Tensor = self.score(x)[:, 0]
        return scores


class PlainStep:
    """Both networks and what trains them."""

    def __init__(self, resolution: int, device: torch.device) -> None:
        self.device = device
        self.g = PlainGenerator(resolution).to(device)
        self.d = PlainDiscriminator(resolution).to(device)
        self.average = copy.deepcopy(self.g)
        self.adam_g = torch.optim.Adam(self.g.parameters(), lr=0.001, betas=(0.0, 0.99))
        self.adam_d = torch.optim.Adam(self.d.parameters(), lr=0.001, betas=(0.0, 0.99))

    def run(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Let D and then G learn from uint8 (N, 3, r, r); return their losses."""
        reals = pictures.float() / 127.5 - 1
        d_loss = self.discriminator_loss(reals)
        self.adam_d.zero_grad()
        torch.autograd.backward(d_loss)
        self.adam_d.step()
        g_loss = -self.d(self.g(self.latents(len(reals)))).mean()
        self.adam_g.zero_grad()
        torch.autograd.backward(g_loss)
        self.adam_g.step()
        with torch.no_grad():
            for kept, weight in zip(self.average.parameters(), self.g.parameters(), strict=True):
                kept.mul_(0.999).add_(weight, alpha=0.001)
        return d_loss.detach(), g_loss.detach()

    def discriminator_loss(self, reals: Tensor) -> Tensor:
        """WGAN-GP with the drift penalty."""
        with torch.no_grad():
            fakes = self.g(self.latents(len(reals)))
        real, fake = self.d(reals), self.d(fakes)
        mixing = torch.rand(len(reals), 1, 1, 1, device=self.device)
        mixed = (reals + mixing * (fakes - reals)).requires_grad_()
        (gradient,) = torch.autograd.grad(self.d(mixed).sum(), mixed, create_graph=True)
        norm = gradient.flatten(1).norm(dim=1)
        penalty = 10 * ((norm - 1) ** 2).mean()
        drift = 0.001 * (real**2).mean()
        loss: Tensor = fake.mean() - real.mean() + penalty + drift
        return loss

    def latents(self, count: int) -> Tensor:
        """Draw latents (N, 512)."""
        return torch.randn(count, LATENT_SIZE, device=self.device)
