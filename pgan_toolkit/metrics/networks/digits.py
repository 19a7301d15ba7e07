"""The classifier of MNIST digits that the discrete-mode metric needs."""

from copy import deepcopy
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from jaxtyping import UInt8
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pgan_toolkit.devices import whole_float32
from pgan_toolkit.errors import UsageError

__all__ = ["DIGIT_SIZE_PX", "DigitClassifier", "DigitNet", "DigitNetConfig", "as_input"]

DIGIT_SIZE_PX = 28
_CLASSES = 10
_BLOCK = 128  # digits: always as many at once, see `DigitClassifier`


@dataclass(frozen=True)
class DigitNetConfig:
    """What a `DigitNet` is made of.

    Attributes
    ----------
    widths : tuple of three int
        Feature maps at 28, 14 and 7 pixels.
    """

    widths: tuple[int, int, int] = (32, 64, 128)

    def __post_init__(self) -> None:
        if len(self.widths) != 3 or not all(1 <= width <= 1024 for width in self.widths):
            raise UsageError(f"widths={self.widths}: expected three numbers from 1 to 1024")


class DigitNet(nn.Module):
    """A plain convolutional network: three pairs of 3x3 convolutions, each pair halved after it.

    Parameters
    ----------
    config : DigitNetConfig
        Its size.
    dropout : float
        Share of the last features that training drops; evaluation keeps all.
    """

    def __init__(self, config: DigitNetConfig | None = None, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config or DigitNetConfig()
        layers: list[nn.Module] = []
        before = 1
        for width in self.config.widths:
            layers += [*_convolution(before, width), *_convolution(width, width), nn.MaxPool2d(2)]
            before = width
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.classes = nn.Linear(before * 3 * 3, _CLASSES)

    def forward(self, digits: Tensor) -> Tensor:
        """Return logits, float (N, 10), of digits, float (N, 1, 28, 28), within 0..1."""
        features: Tensor = self.features(digits)
        logits: Tensor = self.classes(self.dropout(features.flatten(1)))
        return logits


def as_input(digits: Tensor) -> Tensor:
    """Return what `DigitNet` takes, float32 (N, 1, 28, 28), of uint8 digits (N, 28, 28)."""
    return digits.unsqueeze(1).float() / 255


class DigitClassifier:
    """Tells digits apart.

    It computes in float32, in blocks of one size whatever it is given: kernels for other sizes sum
    in another order, and a digit on the border of two classes could change sides with its company.

    Parameters
    ----------
    network : DigitNet
        Trained; it stays as it is, what computes is a copy.
    identity : str
        Name and SHA-256 digest of its weights, for results.
    device : torch.device
        Where it computes.
    """

    def __init__(self, network: DigitNet, *, identity: str, device: torch.device) -> None:
        self.identity = identity
        self.device = device
        self._logits = _fused(deepcopy(network).eval()).requires_grad_(requires_grad=False)
        self._logits.to(device)
        self._logits.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, digits: UInt8[Tensor, "n 28 28"]) -> Tensor:
        """Return the classes, int64 (N,) on the CPU, of digits, uint8 (N, 28, 28), white on black.

        The tensor may lie on any device.
        """
        found = torch.empty(len(digits), dtype=torch.int64)
        for start in range(0, len(digits), _BLOCK):
            block = digits[start : start + _BLOCK].to(self.device)
            found[start : start + len(block)] = self._classify(block).cpu()
        return found

    @torch.inference_mode()
    def _classify(self, block: Tensor) -> Tensor:
        count = len(block)
        full = F.pad(block, (0, 0, 0, 0, 0, _BLOCK - count))
        with whole_float32():
            logits: Tensor = self._logits(as_input(full))
        return logits[:count].argmax(1)


def _fused(network: DigitNet) -> nn.Sequential:
    """Return the network with its norms in its convolutions, which takes 0.75 of the time."""
    layers: list[nn.Module] = []
    for layer in network.features:
        before = layers[-1] if layers else None
        if isinstance(layer, nn.BatchNorm2d) and isinstance(before, nn.Conv2d):
            layers[-1] = fuse_conv_bn_eval(before, layer)
        else:
            layers.append(layer)
    return nn.Sequential(*layers, nn.Flatten(), network.classes)


def _convolution(before: int, after: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )
