"""Metrics of generated images: pure functions over tensors, and accumulators over streams."""

from pgan_toolkit.metrics.accumulator import Accumulator, Statistics
from pgan_toolkit.metrics.descriptors import SwdSettings, swd_levels
from pgan_toolkit.metrics.images import as_images
from pgan_toolkit.metrics.modes import (
    DiscreteModes,
    discrete_modes,
    image_modes,
    modes_and_kl,
    modes_of_generator,
)
from pgan_toolkit.metrics.result import Result
from pgan_toolkit.metrics.swd import SlicedWasserstein, sliced_wasserstein_distance
from pgan_toolkit.metrics.swd_comparison import compare_swd, swd_floor
from pgan_toolkit.metrics.swd_statistics import SwdStatistics

__all__ = [
    "Accumulator",
    "DiscreteModes",
    "Result",
    "SlicedWasserstein",
    "Statistics",
    "SwdSettings",
    "SwdStatistics",
    "as_images",
    "compare_swd",
    "discrete_modes",
    "image_modes",
    "modes_and_kl",
    "modes_of_generator",
    "sliced_wasserstein_distance",
    "swd_floor",
    "swd_levels",
]
