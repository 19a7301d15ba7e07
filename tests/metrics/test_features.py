import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics.features import FeatureSet, as_features

ROWS = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
LOGITS = np.random.default_rng(1).normal(size=(20, 5)).astype(np.float32)


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_no_splitting_changes_what_comes_out(data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, 19), max_size=5)))
    parts = data.draw(st.permutations(list(zip([0, *cuts], [*cuts, 20], strict=True))))
    sets = [FeatureSet(), FeatureSet()]
    for start, stop in parts:
        chosen = data.draw(st.sampled_from(sets))
        chosen.update(ROWS[start:stop], first=start, logits=LOGITS[start:stop])
    whole = pickle.loads(pickle.dumps(sets[0]))
    whole.merge(sets[1])
    assert len(whole) == 20
    assert np.array_equal(whole.features(), ROWS)
    assert np.array_equal(whole.logits(), LOGITS)


def test_more_can_come_after_a_look() -> None:
    found = FeatureSet()
    found.update(ROWS[:4])
    found.update(ROWS[8:], first=8)
    assert np.array_equal(found.features(), ROWS[[*range(4), *range(8, 20)]])
    found.update(ROWS[4:8], first=4)
    assert np.array_equal(found.features(), ROWS)


def test_the_callers_array_may_change_afterwards() -> None:
    rows, found = ROWS.copy(), FeatureSet()
    found.update(rows)
    rows[:] = 0
    assert np.array_equal(found.features(), ROWS)


def test_tensors_arrays_and_sets_are_taken() -> None:
    found = FeatureSet()
    found.update(torch.from_numpy(ROWS).double())
    assert np.array_equal(as_features(found), ROWS)
    assert as_features(ROWS.astype(np.float64)).dtype == np.float32


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros(3), r"shape \(3,\); expected \(N, D\)"),
        (np.zeros((3, 0)), r"shape \(3, 0\)"),
        (np.zeros((2, 3), np.int64), "int64; expected floating point"),
        (np.array([[0.0], [np.nan], [np.inf]]), "2 of 3 rows hold NaN or infinity, row 1 first"),
        (np.array([[1e300]]), "1 of 1 rows"),
    ],
)
def test_bad_features(rows: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=f"^fake: {message}"):
        as_features(rows, name="fake")


def test_what_does_not_belong_together() -> None:
    found = FeatureSet()
    found.update(ROWS, logits=LOGITS)
    with pytest.raises(DataError, match="features of 2 dimensions among those of 3"):
        found.update(ROWS[:, :2], logits=LOGITS)
    with pytest.raises(DataError, match="logits of 4 dimensions among those of 5"):
        found.update(ROWS, logits=LOGITS[:, :4])
    with pytest.raises(DataError, match="some images only"):
        found.update(ROWS)
    with pytest.raises(DataError, match="19 rows of logits for 20 of features"):
        found.update(ROWS, logits=LOGITS[1:])
    with pytest.raises(UsageError, match="taken before"):
        found.update(ROWS, first=19, logits=LOGITS)
    plain = FeatureSet()
    plain.update(ROWS, first=20)
    with pytest.raises(DataError, match="some images only"):
        found.merge(plain)
    assert len(found) == 20


def test_nothing_to_give() -> None:
    with pytest.raises(DataError, match="0 images"):
        FeatureSet().features()
    found = FeatureSet()
    found.merge(FeatureSet())
    found.update(np.zeros((0, 3)))
    assert len(found) == 0
    found.update(ROWS)
    with pytest.raises(DataError, match="logits: none"):
        found.logits()
