"""The networks whose features and classes the metrics need."""

from pgan_toolkit.metrics.networks.inception import InceptionV3, fold_batch_norm
from pgan_toolkit.metrics.networks.pixels import PixelFeatures
from pgan_toolkit.metrics.networks.resize import tf1_bilinear
from pgan_toolkit.metrics.networks.seeded import seeded_tensors
from pgan_toolkit.metrics.networks.vgg import VggFeatures

__all__ = [
    "InceptionV3",
    "PixelFeatures",
    "VggFeatures",
    "fold_batch_norm",
    "seeded_tensors",
    "tf1_bilinear",
]
