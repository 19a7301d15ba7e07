"""What the numbers of pictures forbid is told before any feature is extracted."""

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from evaluated_sets import Counting, pictures

from pgan_toolkit.errors import DataError, PganError, UsageError
from pgan_toolkit.evaluation import (
    FeatureExtractor,
    ImageStream,
    StreamSettings,
    measure_fid,
    measure_inception_score,
    measure_kid,
    measure_precision_recall,
)
from pgan_toolkit.evaluation.statistics_files import StoredStatistics
from pgan_toolkit.metrics.gaussian import Gaussian


def never(_: torch.Tensor) -> NoReturn:
    raise AssertionError("features were extracted")


EXTRACTOR = FeatureExtractor(never, name="never", device=torch.device("cpu"))


def stream(count: int) -> ImageStream:
    return ImageStream(Counting(pictures(count, count, size=8)), StreamSettings(mode="quiet"))


def statistics() -> StoredStatistics:
    return StoredStatistics(Gaussian(np.zeros(3), np.eye(3), 9), EXTRACTOR.identity, "")


@pytest.mark.parametrize(
    ("measure", "kind", "said"),
    [
        (
            lambda **how: measure_fid(stream(9), statistics(), jackknife_groups=3, **how),
            UsageError,
            "features of the fake side.*leave --jackknife out",
        ),
        (
            lambda **how: measure_fid(stream(9), stream(5), jackknife_groups=3, **how),
            UsageError,
            r"3 jackknife groups \(--jackknife\) of 5 images; expected 2 to half",
        ),
        (
            lambda **how: measure_fid(stream(9), stream(5), jackknife_groups=1, **how),
            UsageError,
            "1 jackknife groups",
        ),
        (
            lambda **how: measure_fid(stream(9), stream(1), **how),
            DataError,
            "1 image; features are compared of 2",
        ),
        (
            lambda **how: measure_kid(stream(9), stream(3), **how),
            DataError,
            "3 images; .* takes 4 or more",
        ),
        (
            lambda **how: measure_kid(stream(3), stream(9), **how),
            DataError,
            "3 images; .* takes 4 or more",
        ),
        (
            lambda **how: measure_inception_score(stream(9), **how),
            DataError,
            r"9 images; 10 splits \(--splits\) take 10 or more",
        ),
        (
            lambda **how: measure_precision_recall(stream(9), stream(5), **how),
            DataError,
            r"5 images; 5 neighbours of each \(--neighbours.* take 6 or more",
        ),
        (
            lambda **how: measure_precision_recall(stream(7), stream(9), k=7, **how),
            DataError,
            "7 images; 7 neighbours .* take 8 or more",
        ),
    ],
)
def test_numbers_that_cannot_do_are_told_first(
    measure: Callable[..., Any], kind: type[PganError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        measure(extractor=EXTRACTOR)


def test_enough_pictures_are_let_through() -> None:
    for measure in (
        lambda: measure_fid(stream(9), stream(6), jackknife_groups=3, extractor=EXTRACTOR),
        lambda: measure_kid(stream(4), stream(4), extractor=EXTRACTOR),
        lambda: measure_inception_score(stream(9), splits=9, extractor=EXTRACTOR),
        lambda: measure_precision_recall(stream(6), stream(6), extractor=EXTRACTOR),
    ):
        with pytest.raises(AssertionError, match="were extracted"):
            measure()
