"""VGG-16 (Simonyan and Zisserman, 2014), whose maps tell which pictures look alike.

The paper's figure 10 finds nearest neighbours by the activations of five VGG layers on a crop that
leaves the background out, and says no more. Here the five are the last convolution before each of
the pools of VGG-16, after ReLU: conv1_2, conv2_2, conv3_3, conv4_3 and conv5_3. What is done with
them is this module's own choice; see `VggFeatures`.

The names of modules, and so those of the tensors, are those of the public weight file
`vgg16-397923af.pth`; its classifier is not used.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from pgan_toolkit.metrics.images import ImageBatch

__all__ = ["CENTRE", "LAYERS", "VggFeatures", "central_crop"]

LAYERS = ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3")
CENTRE = 0.625
"""Side of the central crop, of the picture's: a CelebA-HQ face from the brow to the chin."""

_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # maps, convolutions before a pool
_SIZE_PX = 128
_CELLS = 4
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of 0..1


def central_crop(images: ImageBatch, *, size_px: int) -> Tensor:
    """Cut the middle out of images and resize it, smoothed where that reduces it.

    Parameters
    ----------
    images : uint8 tensor (N, 3, H, W)
        Any size; of each side `CENTRE` is kept.
    size_px : int
        Side of the result, pixels.

    Returns
    -------
    Tensor
        float32 (N, 3, size_px, size_px), 0..255.
    """
    height, width = images.shape[2:]
    rows, columns = (max(round(side * CENTRE), 1) for side in (height, width))
    top, left = (height - rows) // 2, (width - columns) // 2
    cut = images[:, :, top : top + rows, left : left + columns].float()
    if (rows, columns) == (size_px, size_px):
        return cut
    return functional.interpolate(
        cut, (size_px, size_px), mode="bilinear", align_corners=False, antialias=True
    )


class VggFeatures(nn.Module):
    """From images to one vector each, whose Euclidean distance tells how alike they look.

    The central crop (`CENTRE`) is resized to 128x128 and normalised as for ImageNet. Each layer's
    maps are averaged over 4x4 cells, and every cell's vector over the channels is scaled to length
    1, so that each layer and each cell counts the same whatever its activations' size. The vectors
    of all are joined and divided by sqrt(5 x 16): the squared distance of two images is the mean
    over layers and cells of the squared distance of unit vectors, from 0 to 2.

    Averaging over cells bounds the vector to 23,552 numbers, where the maps have 2 million.
    """

    SETTINGS: ClassVar[str] = f"crop={CENTRE} {_SIZE_PX}px cells={_CELLS}"
    """What the features depend on besides the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*_layers())

    def forward(self, images: ImageBatch) -> tuple[Tensor, Tensor]:
        """Return the features of images, and no logits.

        Parameters
        ----------
        images : uint8 tensor (N, 3, H, W), RGB
            Any size.

        Returns
        -------
        features : float32 tensor (N, 23552)
            Of length 1.
        logits : float32 tensor (N, 0)
        """
        values = central_crop(images, size_px=_SIZE_PX) / 255
        mean, deviation = (
            torch.tensor(each, device=values.device).view(1, 3, 1, 1)
            for each in (_MEAN, _DEVIATION)
        )
        parts = [_cells(maps) for maps in self.maps((values - mean) / deviation)]
        features = torch.cat(parts, dim=1) / (len(parts) * _CELLS**2) ** 0.5
        return features, features.new_empty((len(features), 0))

    def maps(self, values: Tensor) -> list[Tensor]:
        """Return the maps of the five layers for normalised values (N, 3, H, W)."""
        values = values.contiguous(memory_format=torch.channels_last)
        found = []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                found.append(values)
            if len(found) < len(_STAGES):
                values = layer(values)
        return found


def _layers() -> list[nn.Module]:
    layers: list[nn.Module] = []
    maps_in = 3
    for maps, convolutions in _STAGES:
        for _ in range(convolutions):
            layers += [nn.Conv2d(maps_in, maps, 3, padding=1), nn.ReLU()]
            maps_in = maps
        layers.append(nn.MaxPool2d(2))
    return layers


def _cells(maps: Tensor) -> Tensor:
    pooled = functional.adaptive_avg_pool2d(maps, _CELLS)
    return functional.normalize(pooled, dim=1).flatten(1)
