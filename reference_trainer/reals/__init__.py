"""The real pictures of a run: which comes when, reduced to the resolution of the moment."""

from reference_trainer.reals.cache import LARGEST_CACHED_PX
from reference_trainer.reals.loader import BatchPlan, RealLoader
from reference_trainer.reals.order import ShowingOrder, Shown
from reference_trainer.reals.real_images import RealBatch, RealImages
from reference_trainer.reals.reduced_source import ReducedSource
from reference_trainer.reals.reduction import cross_fade, reduce_images

__all__ = [
    "LARGEST_CACHED_PX",
    "BatchPlan",
    "RealBatch",
    "RealImages",
    "RealLoader",
    "ReducedSource",
    "ShowingOrder",
    "Shown",
    "cross_fade",
    "reduce_images",
]
