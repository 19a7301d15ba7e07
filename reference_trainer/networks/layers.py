"""The layers that the networks are made of; each is one row of Table 2.

Weights are drawn from N(0, 1) and scaled at run time by gain / sqrt(fan_in) (section 4.1), or drawn
with that deviation and left alone (He et al. 2015): both begin as the same function.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from reference_trainer.networks.autocast import exactly
from reference_trainer.networks.convolution import convolve
from reference_trainer.networks.normalization import BatchNorm, LayerNorm, PixelNorm

__all__ = [
    "ConvLayer",
    "DenseLayer",
    "Downscale",
    "LatentLayer",
    "Layer",
    "LayerStyle",
    "StridedConvLayer",
    "TransposedConvLayer",
    "Upscale",
    "downscale",
    "drawn_weight",
    "upscale",
]

_FIRST_SIZE = 4  # pixels of the first feature maps of G


@dataclass(frozen=True, kw_only=True)
class LayerStyle:
    """What the layers of a network have in common.

    Attributes
    ----------
    generator : torch.Generator
        Weights are drawn from this, on the CPU.
    equalized : bool
        Whether weights are scaled at run time.
    normalization : {"none", "pixel", "batch", "layer"}
        Pixelwise normalisation comes after the activation, the two others before it (and their
        shift takes the bias's place), as in the authors' program.
    activation : {"linear", "relu", "leaky_relu"}
    leak : float
        Slope of the leaky ReLU below 0.
    """

    generator: torch.Generator
    equalized: bool = True
    normalization: Literal["none", "pixel", "batch", "layer"] = "none"
    activation: Literal["linear", "relu", "leaky_relu"] = "linear"
    leak: float = 0.2


def drawn_weight(
    shape: tuple[int, ...], deviation: float, *, style: LayerStyle
) -> tuple[nn.Parameter, float]:
    """Return weights that, times the number returned with them, have that standard deviation."""
    drawn = torch.randn(shape, generator=style.generator)
    if style.equalized:
        return nn.Parameter(drawn), deviation
    return nn.Parameter(drawn * deviation), 1.0


def upscale(values: Tensor) -> Tensor:
    """Repeat each pixel of float (N, C, H, W) twice along both axes."""
    return functional.interpolate(values, scale_factor=2, mode="nearest")


def downscale(values: Tensor) -> Tensor:
    """Replace each 2x2 pixels of float (N, C, H, W) by their mean."""
    return functional.avg_pool2d(values, 2)


class Layer(nn.Module):
    """A row of Table 2.

    Attributes
    ----------
    title : str
        As the table has it.
    """

    title = ""

    def multiply_adds(self, made: Tensor) -> int:
        """Return multiplications of weights for one picture, given what the layer made."""
        return 0


class Upscale(Layer):
    """`upscale` as a layer."""

    title = "Upsample"

    def forward(self, values: Tensor) -> Tensor:
        """Take float (N, C, H, W) and return (N, C, 2H, 2W), of the same type.

        On CUDA autocast would make it float32, though nothing is computed.
        """
        with exactly(values.device):
            return upscale(values)


class Downscale(Layer):
    """`downscale` as a layer."""

    title = "Downsample"

    def forward(self, values: Tensor) -> Tensor:
        """Take float (N, C, 2H, 2W) and return (N, C, H, W)."""
        return downscale(values)


class _WeightedLayer(Layer):
    """Weights, and what follows them: shift, normalisation, activation.

    Attributes
    ----------
    scale : float
        What weights are multiplied by at run time.
    """

    def __init__(
        self, shape: tuple[int, ...], *, maps: int, fan_in: float, gain: float, style: LayerStyle
    ) -> None:
        super().__init__()
        self.weight, self.scale = drawn_weight(shape, gain / math.sqrt(fan_in), style=style)
        self.norm = _norm_before_activation(style, maps)
        self.bias = None if self.norm else nn.Parameter(torch.zeros(maps))
        self.style = (style.activation, style.leak)
        self.last = PixelNorm() if style.normalization == "pixel" else None

    def scaled_weight(self) -> Tensor:
        return self.weight * self.scale

    def finished(self, values: Tensor) -> Tensor:
        """Normalise and activate (N, C, H, W), whose bias is added."""
        if self.norm is not None:
            values = self.norm(values)
        activation, leak = self.style
        if activation == "leaky_relu":
            # In place: no layer before needs what it made, and D keeps 45 % less for its gradient.
            values = functional.leaky_relu(values, leak, inplace=True)
        elif activation == "relu":
            values = functional.relu(values, inplace=True)
        return values if self.last is None else self.last(values)


def _norm_before_activation(style: LayerStyle, maps: int) -> nn.Module | None:
    if style.normalization == "batch":
        return BatchNorm(maps)
    return LayerNorm(maps) if style.normalization == "layer" else None


class LatentLayer(_WeightedLayer):
    """G's first: a dense layer from the latents to maps of 4x4.

    Its default gain, sqrt(2) / 4, is the program's: as if the 16 places shared their fan-in.
    """

    title = "Conv 4x4"

    def __init__(
        self, inputs: int, maps: int, *, style: LayerStyle, gain: float = math.sqrt(2) / 4
    ) -> None:
        shape = (maps * _FIRST_SIZE**2, inputs)
        super().__init__(shape, maps=maps, fan_in=inputs, gain=gain, style=style)

    def forward(self, latents: Tensor) -> Tensor:
        """Take float (N, inputs) and return (N, maps, 4, 4), not in autocast's type."""
        with exactly(latents.device):
            made = latents.to(self.weight.dtype) @ self.scaled_weight().t()
            maps = made.view(len(made), -1, _FIRST_SIZE, _FIRST_SIZE)
            if self.bias is not None:
                maps = maps + self.bias[:, None, None]
            return self.finished(maps)

    def multiply_adds(self, made: Tensor) -> int:
        """Return those of one picture."""
        return self.weight.numel()


class ConvLayer(_WeightedLayer):
    """A convolution: 1x1 and 3x3 keep the size, 4x4 makes 1x1 of 4x4.

    Attributes
    ----------
    kernel : int
        Pixels.
    exact : bool
        Whether it computes in its own type in autocast too: for pictures that come out.
    layout : torch.memory_format, or None
        That it computes in; None: that of what comes in.
    """

    def __init__(
        self,
        inputs: int,
        maps: int,
        kernel: int,
        *,
        style: LayerStyle,
        gain: float = math.sqrt(2),
        exact: bool = False,
    ) -> None:
        shape, fan_in = (maps, inputs, kernel, kernel), inputs * kernel**2
        super().__init__(shape, maps=maps, fan_in=fan_in, gain=gain, style=style)
        self.title, self.kernel, self.exact = f"Conv {kernel}x{kernel}", kernel, exact
        self.layout: torch.memory_format | None = None

    def lay_out(self, layout: torch.memory_format) -> None:
        """Keep the weights, and compute, in this memory format."""
        self.weight.data = self.weight.data.contiguous(memory_format=layout)
        self.layout = layout

    def forward(self, values: Tensor) -> Tensor:
        """Take float (N, inputs, H, W) and return (N, maps, H, W), or (N, maps, 1, 1)."""
        if not self.exact:
            return self._convolved(values)
        with exactly(values.device):
            return self._convolved(values.to(self.weight.dtype))

    def _convolved(self, values: Tensor) -> Tensor:
        padding = 1 if self.kernel == 3 else 0
        if self.layout is not None:
            values = values.contiguous(memory_format=self.layout)
        weight = self.scaled_weight()
        return self.finished(convolve(values, weight, self.bias, padding=padding))

    def multiply_adds(self, made: Tensor) -> int:
        """Return those of one picture."""
        return self.weight.numel() * made.shape[2] * made.shape[3]


class StridedConvLayer(_WeightedLayer):
    """A 3x3 convolution with a stride of 2: H becomes H / 2, rounded up.

    Padded as TensorFlow's "SAME": an even size gets its one row and column at the end.
    """

    title = "Conv 3x3, stride 2"

    def __init__(self, inputs: int, maps: int, *, style: LayerStyle) -> None:
        shape, gain = (maps, inputs, 3, 3), math.sqrt(2)
        super().__init__(shape, maps=maps, fan_in=inputs * 9, gain=gain, style=style)

    def forward(self, values: Tensor) -> Tensor:
        """Take float (N, inputs, H, H) and return (N, maps, (H + 1) / 2, (H + 1) / 2)."""
        before = values.shape[3] % 2
        padded = functional.pad(values, (before, 1, before, 1))
        made = convolve(padded, self.scaled_weight(), self.bias, stride=2)
        return self.finished(made)

    def multiply_adds(self, made: Tensor) -> int:
        """Return those of one picture."""
        return self.weight.numel() * made.shape[2] * made.shape[3]


class TransposedConvLayer(_WeightedLayer):
    """A transposed 3x3 convolution with a stride of 2, the reverse of `StridedConvLayer`.

    Attributes
    ----------
    size : int
        Pixels that come out: twice those that go in, or one less.
    """

    title = "Transposed conv 3x3, stride 2"

    def __init__(self, inputs: int, maps: int, *, size: int, style: LayerStyle) -> None:
        # A pixel gets 1, 2, 2 or 4 of a kernel's 9 numbers: 9 / 4 on average.
        shape, fan_in, gain = (inputs, maps, 3, 3), inputs * 9 / 4, math.sqrt(2)
        super().__init__(shape, maps=maps, fan_in=fan_in, gain=gain, style=style)
        self.size = size

    def forward(self, values: Tensor) -> Tensor:
        """Take float (N, inputs, H, H) and return (N, maps, size, size)."""
        begin = self.size % 2
        made = functional.conv_transpose2d(values, self.scaled_weight(), self.bias, stride=2)
        end = begin + self.size
        return self.finished(made[:, :, begin:end, begin:end].contiguous())

    def multiply_adds(self, made: Tensor) -> int:
        """Return those of one picture."""
        return self.weight.numel() * ((self.size + 1) // 2) ** 2


class DenseLayer(Layer):
    """D's last: a dense layer of gain 1 without activation."""

    title = "Fully-connected"

    def __init__(self, inputs: int, outputs: int, *, style: LayerStyle) -> None:
        super().__init__()
        shape = (outputs, inputs)
        self.weight, self.scale = drawn_weight(shape, 1 / math.sqrt(inputs), style=style)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, features: Tensor) -> Tensor:
        """Take float (N, inputs) and return (N, outputs), not in autocast's type."""
        with exactly(features.device):
            known = features.to(self.weight.dtype)
            return functional.linear(known, self.weight * self.scale, self.bias)

    def multiply_adds(self, made: Tensor) -> int:
        """Return those of one picture."""
        return self.weight.numel()
