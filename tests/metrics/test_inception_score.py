import math

import numpy as np
import pytest

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics.features import FeatureSet
from pgan_toolkit.metrics.inception_score import inception_score


def draw(count: int, classes: int = 7) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 2, (count, classes)).astype(np.float32)


def by_loops(logits: np.ndarray, splits: int) -> list[float]:
    """The definition, image after image."""
    scores = []
    for part in range(splits):
        rows = logits[part * len(logits) // splits : (part + 1) * len(logits) // splits]
        chances = [[math.exp(v) / sum(map(math.exp, row)) for v in row] for row in rows.tolist()]
        overall = [sum(column) / len(chances) for column in zip(*chances, strict=True)]
        divergences = [
            sum(p * math.log(p / q) for p, q in zip(row, overall, strict=True)) for row in chances
        ]
        scores.append(math.exp(sum(divergences) / len(divergences)))
    return scores


@pytest.mark.parametrize(("count", "splits"), [(50, 10), (53, 10), (20, 1), (10, 10)])
def test_it_is_the_definition(count: int, splits: int) -> None:
    logits = draw(count)
    result, scores = inception_score(logits, splits=splits), by_loops(logits, splits)
    assert result.value == pytest.approx(np.mean(scores), rel=1e-9)
    assert result.components["std over splits"] == pytest.approx(np.std(scores), abs=1e-9)
    if splits > 1:
        expected = np.std(scores, ddof=1) / math.sqrt(splits)
        assert result.standard_error == pytest.approx(expected, abs=1e-9)
    else:
        assert result.standard_error is None


def test_sure_and_even_classes_reach_their_number() -> None:
    logits = np.tile(1000 * np.eye(10), (50, 1))
    assert inception_score(logits).value == pytest.approx(10)


@pytest.mark.parametrize("logits", [np.zeros((20, 5)), np.tile([5e4, -5e4, 3.0], (20, 1))])
def test_images_that_are_all_alike_score_one(logits: np.ndarray) -> None:
    result = inception_score(logits)
    assert result.value == pytest.approx(1)
    assert result.components["std over splits"] == pytest.approx(0, abs=1e-12)


def test_a_constant_added_to_an_images_logits_changes_nothing() -> None:
    logits = draw(40)
    shifted = logits + np.arange(40)[:, None]
    assert inception_score(shifted).value == pytest.approx(inception_score(logits).value, rel=1e-5)


def test_splits_are_contiguous() -> None:
    logits = 1000 * np.eye(2).repeat(10, axis=0)
    assert inception_score(logits, splits=2).value == 1
    assert inception_score(logits, splits=1).value == pytest.approx(2)


def test_a_stream_is_the_set() -> None:
    logits, held = draw(40), FeatureSet()
    held.update(np.zeros((25, 3)), first=15, logits=logits[15:])
    held.update(np.zeros((15, 3)), first=0, logits=logits[:15])
    assert inception_score(held) == inception_score(logits)


def test_what_departs_from_the_protocol_is_said() -> None:
    assert inception_score(draw(53)).warnings == (
        "53 images: the protocol takes 50,000",
        "53 images in 10 splits: they differ by one image",
    )
    assert inception_score(draw(50_000, 2)).warnings == ()


@pytest.mark.parametrize("count", [0, 1, 9])
def test_too_few_images(count: int) -> None:
    with pytest.raises(DataError, match=f"{count} images? for 10 splits"):
        inception_score(draw(count))


def test_bad_arguments() -> None:
    with pytest.raises(UsageError, match="0 splits"):
        inception_score(draw(20), splits=0)
    with pytest.raises(DataError, match="logits: 20 of 20 rows hold NaN"):
        inception_score(draw(20) * np.inf)
    with pytest.raises(DataError, match="logits: none"):
        inception_score(FeatureSet())
