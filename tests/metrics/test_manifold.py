import numpy as np
import pytest

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics import distances
from pgan_toolkit.metrics.distances import blocks, nearest_radii
from pgan_toolkit.metrics.features import FeatureSet
from pgan_toolkit.metrics.manifold import precision_recall


def draw(seed: int, count: int, size: int = 4, *, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (count, size)).astype(np.float32)


def by_loops(x: np.ndarray, y: np.ndarray, *, k: int, density_k: int) -> dict[str, float]:
    """The definitions, point after point, in float64."""

    def square(a: np.ndarray, b: np.ndarray) -> float:
        return float(((a.astype(np.float64) - b.astype(np.float64)) ** 2).sum())

    def radius(rows: np.ndarray, i: int, k: int) -> float:
        return sorted(square(rows[i], row) for j, row in enumerate(rows) if j != i)[k - 1]

    rx = [radius(x, i, k) for i in range(len(x))]
    ry = [radius(y, j, k) for j in range(len(y))]
    dense = [radius(x, i, density_k) for i in range(len(x))]
    between = [[square(a, b) for b in y] for a in x]
    pairs = [(i, j) for i in range(len(x)) for j in range(len(y))]
    return {
        "precision": len({j for i, j in pairs if between[i][j] <= rx[i]}) / len(y),
        "recall": len({i for i, j in pairs if between[i][j] <= ry[j]}) / len(x),
        "density": sum(between[i][j] < dense[i] for i, j in pairs) / (density_k * len(y)),
        "coverage": len({i for i, j in pairs if between[i][j] < dense[i]}) / len(x),
    }


def grid(seed: int, count: int, *, offset: float = 0.0) -> np.ndarray:
    """Points on a coarse grid far from the origin: most distances are tied."""
    random = np.random.default_rng(seed)
    return (random.integers(0, 4, (count, 3)) + offset).astype(np.float32)


SETS = {
    "apart": (draw(0, 40), draw(1, 30, shift=1.0)),
    "alike": (draw(0, 25), draw(1, 40)),
    "tied": (grid(0, 40), grid(1, 30)),
    "tied and far out": (grid(0, 40, offset=1000.0), grid(1, 30, offset=1000.0)),
    "doubled": (np.repeat(draw(0, 10), 3, axis=0), np.repeat(draw(0, 10), 2, axis=0)),
    "fine structure far apart": (
        draw(0, 40) / 100 + np.repeat([[-1000.0], [1000.0]], 20, axis=0),
        draw(1, 30) / 100 + np.repeat([[-1000.0], [1000.0]], 15, axis=0),
    ),
    "constant": (np.full((9, 2), 0.1), np.full((7, 2), 0.1)),
}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(("k", "density_k"), [(3, 5), (1, 2)])
def test_they_are_the_definitions(name: str, k: int, density_k: int) -> None:
    x, y = (rows.astype(np.float32) for rows in SETS[name])
    found = precision_recall(x, y, k=k, density_k=density_k)
    expected = by_loops(x, y, k=k, density_k=density_k)
    assert found.components == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("entries", [1, 7, 95, 4000])
@pytest.mark.parametrize("name", SETS)
def test_blocks_of_any_size_give_the_same(
    name: str, entries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = SETS[name]
    expected = precision_recall(x, y)
    monkeypatch.setattr(distances, "ENTRIES_TOGETHER", entries)
    assert precision_recall(x, y) == expected


@pytest.mark.parametrize("exponent", [-100, -70, 62, 120])
def test_the_size_of_features_does_not_matter(exponent: int) -> None:
    x, y = SETS["apart"]
    expected = precision_recall(x, y)
    assert precision_recall(np.ldexp(x, exponent), np.ldexp(y, exponent)) == expected


def test_a_set_against_itself() -> None:
    rows = draw(0, 200)
    assert precision_recall(rows, rows.copy()).components == {
        "precision": 1,
        "recall": 1,
        "density": 1,
        "coverage": 1,
    }


def test_sets_that_lie_apart() -> None:
    result = precision_recall(draw(0, 50), draw(1, 50, shift=100.0))
    assert set(result.components.values()) == {0}


def test_fakes_that_are_one_point_among_the_reals() -> None:
    real = draw(0, 400, 2)
    result = precision_recall(real, np.zeros((400, 2)))
    assert result.components["precision"] == 1
    assert result.components["recall"] == 0
    assert result.components["coverage"] < 0.1


def test_equal_distributions_have_a_density_of_about_one() -> None:
    result = precision_recall(draw(0, 1000, 8), draw(1, 1000, 8))
    assert result.components["density"] == pytest.approx(1, abs=0.06)
    # The chance that none of the 1,000 fakes is nearer than the fifth of 999 reals.
    assert result.components["coverage"] == pytest.approx(1 - 2**-5, abs=0.02)


def test_equal_points_have_no_distance_however_far_out() -> None:
    rows = draw(0, 20) + np.float32(1e6)
    (block,) = blocks(rows, rows)
    index = np.arange(20)
    assert block.exact(index, index).tolist() == [0.0] * 20
    twice = np.concatenate([rows, rows])
    assert nearest_radii(twice, ks=(1,))[0].tolist() == [0.0] * 40


def test_errors_are_bounded_as_promised() -> None:
    x, y = draw(0, 60, 512, shift=3.0), draw(1, 50, 512, shift=-2.0)
    (block,) = blocks(x, y)
    first, second = (side.ravel() for side in np.indices((60, 50)))
    off = np.abs(block.near.ravel() - block.exact(first, second))
    assert (off <= np.broadcast_to(block.error, (60, 50)).ravel()).all()
    assert off.max() > 0


def test_the_errors_are_over_points() -> None:
    x, y = SETS["apart"]
    result = precision_recall(x, y)
    share = result.components["precision"]
    assert result.value == share
    assert result.standard_error == pytest.approx(np.sqrt(share * (1 - share) / 29))
    assert set(result.component_errors) == set(result.components)


def test_a_stream_is_the_set() -> None:
    x, y = SETS["apart"]
    held = FeatureSet()
    held.update(y[7:], first=7)
    held.update(y[:7], first=0)
    assert precision_recall(x, held) == precision_recall(x, y)


def test_what_departs_from_the_protocol_is_said() -> None:
    assert precision_recall(*SETS["apart"]).warnings == (
        "real: 40 images: the protocol takes 50,000",
        "fake: 30 images: the protocol takes 50,000",
        "unequal numbers of images: the balls of the larger set are smaller",
    )


@pytest.mark.parametrize("count", [0, 1, 5])
def test_too_few_images(count: int) -> None:
    with pytest.raises(DataError, match=f"fake: {count} images?; expected 6 or more"):
        precision_recall(draw(0, 10), draw(1, count))


def test_bad_arguments() -> None:
    with pytest.raises(UsageError, match="k = 0"):
        precision_recall(draw(0, 10), draw(1, 10), k=0)
    with pytest.raises(DataError, match=r"4 dimensions \(real\) against 3 \(fake\)"):
        precision_recall(draw(0, 10), draw(1, 10, 3))
    with pytest.raises(DataError, match="real: 10 of 10 rows hold NaN"):
        precision_recall(draw(0, 10) * np.nan, draw(1, 10))
