"""Pixels as features: nearest neighbours without a network."""

from typing import ClassVar

from torch import Tensor, nn

from pgan_toolkit.metrics.images import ImageBatch
from pgan_toolkit.metrics.networks.vgg import CENTRE, central_crop

__all__ = ["PixelFeatures"]

_SIZE_PX = 64


class PixelFeatures(nn.Module):
    """The central crop, reduced to 64x64: the Euclidean distance is the RMS of grey levels.

    Values are those of the file, without any curve, and divided by the root of their number: the
    distance of two images is the root mean square difference of their crops, in grey levels of 255.
    """

    SETTINGS: ClassVar[str] = f"crop={CENTRE} {_SIZE_PX}px"
    """What the features depend on."""

    def forward(self, images: ImageBatch) -> tuple[Tensor, Tensor]:
        """Return the features of images, and no logits.

        Parameters
        ----------
        images : uint8 tensor (N, 3, H, W)
            Any size.

        Returns
        -------
        features : float32 tensor (N, 12288)
        logits : float32 tensor (N, 0)
        """
        values = central_crop(images, size_px=_SIZE_PX).flatten(1)
        features = values / values.shape[1] ** 0.5
        return features, features.new_empty((len(features), 0))
