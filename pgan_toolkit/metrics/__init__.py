"""Metrics of generated images: pure functions over tensors, and accumulators over streams."""

from pgan_toolkit.metrics.accumulator import Accumulator, Statistics
from pgan_toolkit.metrics.descriptors import SwdSettings, swd_levels
from pgan_toolkit.metrics.features import FeatureSet
from pgan_toolkit.metrics.frechet import frechet_distance
from pgan_toolkit.metrics.gaussian import Gaussian, GaussianStatistics
from pgan_toolkit.metrics.images import as_images
from pgan_toolkit.metrics.inception_score import inception_score
from pgan_toolkit.metrics.kid import kernel_distance
from pgan_toolkit.metrics.manifold import precision_recall
from pgan_toolkit.metrics.modes import (
    DiscreteModes,
    discrete_modes,
    image_modes,
    modes_and_kl,
    modes_of_generator,
)
from pgan_toolkit.metrics.ms_ssim import MsSsim, ms_ssim, ms_ssim_of_pairs
from pgan_toolkit.metrics.result import Result
from pgan_toolkit.metrics.swd import SlicedWasserstein, sliced_wasserstein_distance
from pgan_toolkit.metrics.swd_comparison import compare_swd, swd_floor
from pgan_toolkit.metrics.swd_statistics import SwdStatistics

__all__ = [
    "Accumulator",
    "DiscreteModes",
    "FeatureSet",
    "Gaussian",
    "GaussianStatistics",
    "MsSsim",
    "Result",
    "SlicedWasserstein",
    "Statistics",
    "SwdSettings",
    "SwdStatistics",
    "as_images",
    "compare_swd",
    "discrete_modes",
    "frechet_distance",
    "image_modes",
    "inception_score",
    "kernel_distance",
    "modes_and_kl",
    "modes_of_generator",
    "ms_ssim",
    "ms_ssim_of_pairs",
    "precision_recall",
    "sliced_wasserstein_distance",
    "swd_floor",
    "swd_levels",
]
