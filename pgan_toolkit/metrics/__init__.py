"""Metrics of generated images: pure functions over tensors, and accumulators over streams."""

from pgan_toolkit.metrics.accumulator import Accumulator, Statistics
from pgan_toolkit.metrics.images import as_images
from pgan_toolkit.metrics.result import Result

__all__ = [
    "Accumulator",
    "Result",
    "Statistics",
    "as_images",
]
