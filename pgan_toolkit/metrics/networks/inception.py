"""Inception-v3 as in the graph of 2015-12-05, whose features FID, KID and inception score take.

Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2015; TensorFlow's
`inception-2015-12-05` departs from it as follows, and with it all published numbers:

- 1008 classes, of which 1000 have a meaning;
- averages over 3x3 leave the padding out of the count;
- the last block (Mixed_7c) takes the maximum where the others take the average.

The names of modules, and so those of the tensors, are those of the public weight file
`pt_inception-2015-12-05-6726825d.pth`.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from pgan_toolkit.metrics.images import ImageBatch
from pgan_toolkit.metrics.networks.resize import tf1_bilinear

__all__ = ["CLASSES", "FEATURES", "InceptionV3", "fold_batch_norm"]

FEATURES = 2048
CLASSES = 1008
_SIZE_PX = 299
_EPSILON = 1e-3  # of the batch normalisation; torch's own default is 1e-5


@dataclass(frozen=True)
class _Conv:
    """A convolution with batch normalisation and ReLU; kernel is (height, width)."""

    name: str
    maps: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    valid: bool = False  # no padding: the map shrinks

    @property
    def padding(self) -> tuple[int, int]:
        return (0, 0) if self.valid else (self.kernel[0] // 2, self.kernel[1] // 2)


@dataclass(frozen=True)
class _Fork:
    """Convolutions of the same input, side by side."""

    prongs: tuple[_Conv, ...]


@dataclass(frozen=True)
class _Pool:
    """Average or maximum over 3x3: with padding of stride 1, without of stride 2."""

    kind: Literal["average", "maximum"]
    stride: int = 1

    def __call__(self, maps: Tensor) -> Tensor:
        padding = 1 if self.stride == 1 else 0
        if self.kind == "average":
            return functional.avg_pool2d(maps, 3, self.stride, padding, count_include_pad=False)
        return functional.max_pool2d(maps, 3, self.stride, padding)


_AVERAGE, _MAXIMUM, _SHRINK = _Pool("average"), _Pool("maximum"), _Pool("maximum", 2)
_Step = _Conv | _Fork | _Pool
_Branch = tuple[_Step, ...]


def _convs(prefix: str, *layers: tuple[int, int, int]) -> tuple[_Conv, ...]:
    """Name a row of convolutions prefix_1, prefix_2, ...; each layer is maps, height, width."""
    return tuple(
        _Conv(f"{prefix}_{number}", maps, (height, width))
        for number, (maps, height, width) in enumerate(layers, start=1)
    )


def _halving(name: str, maps: int) -> _Conv:
    return _Conv(name, maps, (3, 3), stride=2, valid=True)


def _block_a(pooled: int) -> tuple[_Branch, ...]:
    """35x35 (figure 5 of the paper)."""
    return (
        (_Conv("branch1x1", 64),),
        _convs("branch5x5", (48, 1, 1), (64, 5, 5)),
        _convs("branch3x3dbl", (64, 1, 1), (96, 3, 3), (96, 3, 3)),
        (_AVERAGE, _Conv("branch_pool", pooled)),
    )


def _block_b() -> tuple[_Branch, ...]:
    """35x35 to 17x17."""
    return (
        (_halving("branch3x3", 384),),
        (*_convs("branch3x3dbl", (64, 1, 1), (96, 3, 3)), _halving("branch3x3dbl_3", 96)),
        (_SHRINK,),
    )


def _block_c(maps: int) -> tuple[_Branch, ...]:
    """17x17 (figure 6)."""
    wide, tall = (maps, 1, 7), (maps, 7, 1)
    return (
        (_Conv("branch1x1", 192),),
        _convs("branch7x7", (maps, 1, 1), wide, (192, 7, 1)),
        _convs("branch7x7dbl", (maps, 1, 1), tall, wide, tall, (192, 1, 7)),
        (_AVERAGE, _Conv("branch_pool", 192)),
    )


def _block_d() -> tuple[_Branch, ...]:
    """17x17 to 8x8."""
    return (
        (*_convs("branch3x3", (192, 1, 1)), _halving("branch3x3_2", 320)),
        (
            *_convs("branch7x7x3", (192, 1, 1), (192, 1, 7), (192, 7, 1)),
            _halving("branch7x7x3_4", 192),
        ),
        (_SHRINK,),
    )


def _block_e(pool: _Pool) -> tuple[_Branch, ...]:
    """8x8 (figure 7)."""
    return (
        (_Conv("branch1x1", 320),),
        (*_convs("branch3x3", (384, 1, 1)), _fork("branch3x3_2")),
        (*_convs("branch3x3dbl", (448, 1, 1), (384, 3, 3)), _fork("branch3x3dbl_3")),
        (pool, _Conv("branch_pool", 192)),
    )


def _fork(name: str) -> _Fork:
    return _Fork((_Conv(f"{name}a", 384, (1, 3)), _Conv(f"{name}b", 384, (3, 1))))


_STEM: _Branch = (
    _halving("Conv2d_1a_3x3", 32),
    _Conv("Conv2d_2a_3x3", 32, (3, 3), valid=True),
    _Conv("Conv2d_2b_3x3", 64, (3, 3)),
    _SHRINK,
    _Conv("Conv2d_3b_1x1", 80),
    _Conv("Conv2d_4a_3x3", 192, (3, 3), valid=True),
    _SHRINK,
)
_BLOCKS: tuple[tuple[str, tuple[_Branch, ...]], ...] = (
    ("Mixed_5b", _block_a(pooled=32)),
    ("Mixed_5c", _block_a(pooled=64)),
    ("Mixed_5d", _block_a(pooled=64)),
    ("Mixed_6a", _block_b()),
    ("Mixed_6b", _block_c(maps=128)),
    ("Mixed_6c", _block_c(maps=160)),
    ("Mixed_6d", _block_c(maps=160)),
    ("Mixed_6e", _block_c(maps=192)),
    ("Mixed_7a", _block_d()),
    ("Mixed_7b", _block_e(_AVERAGE)),
    ("Mixed_7c", _block_e(_MAXIMUM)),
)


class _Unit(nn.Module):
    """Convolution without bias, batch normalisation, ReLU."""

    def __init__(self, maps_in: int, conv: _Conv) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            maps_in, conv.maps, conv.kernel, conv.stride, conv.padding, bias=False
        )
        self.bn: nn.Module = nn.BatchNorm2d(conv.maps, eps=_EPSILON)

    def forward(self, maps: Tensor) -> Tensor:
        normalised: Tensor = self.bn(self.conv(maps))
        return functional.relu(normalised, inplace=not torch.is_grad_enabled())


class _Block(nn.Module):
    """Branches of the same input, whose maps are joined in order."""

    def __init__(self, maps_in: int, branches: tuple[_Branch, ...]) -> None:
        super().__init__()
        self._branches = branches
        self.maps_out = sum(_add_units(self, branch, maps_in) for branch in branches)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([_apply(self, branch, maps) for branch in self._branches], dim=1)


class InceptionV3(nn.Module):
    """The network of 2015-12-05, from images to features and logits.

    It is made with torch's initial weights; `load_state_dict` takes those of the public file.
    """

    def __init__(self) -> None:
        super().__init__()
        maps = _add_units(self, _STEM, 3)
        for name, branches in _BLOCKS:
            block = _Block(maps, branches)
            self.add_module(name, block)
            maps = block.maps_out
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, images: ImageBatch) -> tuple[Tensor, Tensor]:
        """Return the features and the logits of images of any size.

        Parameters
        ----------
        images : uint8 tensor (N, 3, H, W), RGB
            Resized to 299x299 as TensorFlow 1 does, then scaled to (x - 128) / 128.

        Returns
        -------
        features : float32 tensor (N, 2048)
            The last maps, averaged ("pool_3").
        logits : float32 tensor (N, 1008)
            Without the bias of the last layer, as the inception score takes them.
        """
        maps = (tf1_bilinear(images, height=_SIZE_PX, width=_SIZE_PX) - 128) / 128
        return self.from_normalised(maps.contiguous(memory_format=torch.channels_last))

    def from_normalised(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same of what is resized and scaled already: float32 (N, 3, 299, 299)."""
        maps = _apply(self, _STEM, maps)
        for name, _ in _BLOCKS:
            maps = self.get_submodule(name)(maps)
        features = maps.mean(dim=(2, 3))
        return features, functional.linear(features, self.fc.weight)


def fold_batch_norm(network: InceptionV3) -> InceptionV3:
    """Put every batch normalisation into the weights of the convolution before it, in place.

    Features move by rounding alone, less than 1e-5 of their size. The weights are multiplied in
    float64. The network has other tensors afterwards: it cannot load the public file any more.

    Returns
    -------
    InceptionV3
        The same network, in evaluation mode.
    """
    for unit in network.modules():
        if isinstance(unit, _Unit) and isinstance(unit.bn, nn.BatchNorm2d):
            _fold(unit, unit.bn)
    return network.eval()


def _fold(unit: _Unit, norm: nn.BatchNorm2d) -> None:
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise TypeError("batch normalisation without running statistics")
    scale = norm.weight.detach().double() / torch.sqrt(variance.double() + norm.eps)
    weight = unit.conv.weight.detach().double() * scale.view(-1, 1, 1, 1)
    bias = norm.bias.detach().double() - mean.double() * scale
    unit.conv.weight = nn.Parameter(weight.float(), requires_grad=False)
    unit.conv.bias = nn.Parameter(bias.float(), requires_grad=False)
    unit.bn = nn.Identity()


def _add_units(parent: nn.Module, branch: _Branch, maps: int) -> int:
    """Make the convolutions of a branch; return how many maps come out of it."""
    for step in branch:
        if isinstance(step, _Pool):
            continue
        convs = step.prongs if isinstance(step, _Fork) else (step,)
        for conv in convs:
            parent.add_module(conv.name, _Unit(maps, conv))
        maps = sum(conv.maps for conv in convs)
    return maps


def _apply(parent: nn.Module, branch: _Branch, maps: Tensor) -> Tensor:
    for step in branch:
        if isinstance(step, _Pool):
            maps = step(maps)
        elif isinstance(step, _Fork):
            prongs = [parent.get_submodule(conv.name)(maps) for conv in step.prongs]
            maps = torch.cat(prongs, dim=1)
        else:
            maps = parent.get_submodule(step.name)(maps)
    return maps
