"""From image sets to results: streams, extractors, the cache of statistics, and protocols."""

from pgan_toolkit.evaluation.cache import StatisticsCache
from pgan_toolkit.evaluation.choices import choose_images
from pgan_toolkit.evaluation.comparing import (
    Conditions,
    EvaluationSettings,
    Report,
    Thresholds,
    Tolerance,
    evaluate,
    read_report,
)
from pgan_toolkit.evaluation.extractors import FeatureExtractor, open_extractor
from pgan_toolkit.evaluation.feeding import feed
from pgan_toolkit.evaluation.measure_features import extract_features
from pgan_toolkit.evaluation.measure_fid import measure_fid
from pgan_toolkit.evaluation.measure_inception_score import measure_inception_score
from pgan_toolkit.evaluation.measure_kid import measure_kid
from pgan_toolkit.evaluation.measure_ms_ssim import measure_ms_ssim
from pgan_toolkit.evaluation.measure_neighbours import find_neighbours
from pgan_toolkit.evaluation.measure_precision_recall import measure_precision_recall
from pgan_toolkit.evaluation.measure_swd import measure_swd
from pgan_toolkit.evaluation.statistics_files import read_statistics, write_statistics
from pgan_toolkit.evaluation.streams import Batch, ImageStream, StreamSettings

__all__ = [
    "Batch",
    "Conditions",
    "EvaluationSettings",
    "FeatureExtractor",
    "ImageStream",
    "Report",
    "StatisticsCache",
    "StreamSettings",
    "Thresholds",
    "Tolerance",
    "choose_images",
    "evaluate",
    "extract_features",
    "feed",
    "find_neighbours",
    "measure_fid",
    "measure_inception_score",
    "measure_kid",
    "measure_ms_ssim",
    "measure_precision_recall",
    "measure_swd",
    "open_extractor",
    "read_report",
    "read_statistics",
    "write_statistics",
]
