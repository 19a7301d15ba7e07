import pickle

import numpy as np
import pytest
import scipy.linalg

from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.metrics.features import FeatureSet
from pgan_toolkit.metrics.frechet import frechet_distance
from pgan_toolkit.metrics.gaussian import Gaussian, GaussianStatistics
from pgan_toolkit.randomness import generator


def draw(seed: int, count: int, size: int, *, decay: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    turned = scipy.linalg.qr(random.normal(size=(size, size)))[0]
    scales = np.exp(-decay * np.arange(size) / size)
    rows = random.normal(size=(count, size)) * scales @ turned + random.normal(size=size)
    return rows.astype(np.float32)


def by_sqrtm(x: np.ndarray, y: np.ndarray) -> float:
    """The definition, with scipy's matrix square root."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    s1, s2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = scipy.linalg.sqrtm(s1 @ s2).real
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s1 + s2 - 2 * root))


def statistics_of(rows: np.ndarray) -> GaussianStatistics:
    found = GaussianStatistics()
    found.update(rows)
    return found


@pytest.mark.parametrize(("decay", "size"), [(0, 1), (0, 3), (3, 40), (8, 40)])
def test_full_rank_agrees_with_scipys_square_root(decay: float, size: int) -> None:
    x, y = draw(0, 200, size, decay=decay), draw(1, 150, size, decay=decay)
    expected = (
        by_sqrtm(x, y)
        if size > 1
        else (x.mean(dtype=float) - y.mean(dtype=float)) ** 2
        + (x.std(ddof=1, dtype=float) - y.std(ddof=1, dtype=float)) ** 2
    )
    assert frechet_distance(x, y).value == pytest.approx(expected, rel=1e-9)


def test_diagonal_gaussians_have_a_closed_form() -> None:
    mean, scales = np.array([1.0, -2.0, 0.5]), np.array([1.0, 4.0, 9.0])
    real = Gaussian(mean=np.zeros(3), covariance=np.eye(3), count=9000)
    fake = Gaussian(mean=mean, covariance=np.diag(scales), count=9000)
    expected = (mean**2).sum() + ((np.sqrt(scales) - 1) ** 2).sum()
    assert frechet_distance(real, fake).value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(10, 10), (5, 25), (2, 3), (12, 100)])
def test_few_images_take_the_same_distance_without_a_covariance(n: int, m: int) -> None:
    x, y = draw(0, n, 30), draw(1, m, 30)
    through = frechet_distance(statistics_of(x), statistics_of(y)).value
    assert frechet_distance(x, y).value == pytest.approx(through, rel=1e-6)
    # The eigenvalues of S1 S2 are real and not negative; those that are zero may come out as -e.
    s1, s2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    roots = np.sqrt(np.linalg.eigvals(s1 @ s2).real.clip(0)).sum()
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s1 + s2) - 2 * roots
    assert frechet_distance(x, y).value == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("count", [4, 30, 31, 500])
@pytest.mark.parametrize("decay", [0, 10, 40])
def test_a_set_against_itself_is_nothing(count: int, decay: float) -> None:
    rows = draw(0, count, 30, decay=decay)
    scale = float(np.trace(np.cov(rows, rowvar=False)))
    for side in (rows, statistics_of(rows)):
        assert 0 <= frechet_distance(side, side).value <= 1e-8 * scale


def test_it_is_symmetric_and_scales_as_a_square() -> None:
    x, y = draw(0, 100, 12), draw(1, 80, 12)
    value = frechet_distance(x, y).value
    assert frechet_distance(y, x).value == pytest.approx(value, rel=1e-12)
    assert frechet_distance(4 * x, 4 * y).value == pytest.approx(16 * value, rel=1e-6)


def test_a_shift_adds_its_square() -> None:
    x, y = draw(0, 100, 12), draw(0, 100, 12) + np.float32(0.5)
    assert frechet_distance(x, y).value == pytest.approx(12 * 0.25, rel=1e-5)


def test_constant_features_have_only_their_means() -> None:
    x, y = np.full((5, 4), 3.0), np.full((9, 4), 1.0)
    assert frechet_distance(x, y).value == pytest.approx(16)
    assert frechet_distance(x, x).value == 0
    assert frechet_distance(statistics_of(x), statistics_of(y)).value == pytest.approx(16)


@pytest.mark.parametrize("count", [2, 4, 100])
def test_equal_images_in_any_number_have_no_covariance(count: int) -> None:
    row = np.random.default_rng(0).gamma(1, 0.4, (1, 4)).astype(np.float32)
    x, y = row.repeat(count, axis=0), row.repeat(3, axis=0) + np.float32(0.5)
    gaussian = statistics_of(x).gaussian()
    assert not gaussian.covariance.any()
    assert gaussian.mean == pytest.approx(row[0], abs=0)
    assert frechet_distance(x, x).value == 0
    assert frechet_distance(x, y).value == pytest.approx(4 * 0.25, rel=1e-5)


def test_a_small_spread_about_a_large_mean_is_not_lost() -> None:
    rows = (1e4 + np.random.default_rng(0).normal(size=(300, 5))).astype(np.float32)
    parts = [statistics_of(rows[:120]), GaussianStatistics()]
    parts[1].update(rows[120:], first=120)
    parts[0].merge(parts[1])
    expected = np.cov(rows.astype(np.float64), rowvar=False)
    for found in (statistics_of(rows), parts[0]):
        assert found.gaussian().covariance == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_dead_features_do_no_harm() -> None:
    x, y = draw(0, 300, 10), draw(1, 300, 10)
    padded = [np.pad(rows, [(0, 0), (3, 4)]) for rows in (x, y)]
    assert frechet_distance(*padded).value == pytest.approx(frechet_distance(x, y).value, rel=1e-9)


def test_statistics_of_a_stream_are_those_of_the_set() -> None:
    rows = draw(0, 100, 8)
    parts = [GaussianStatistics(), GaussianStatistics()]
    parts[1].update(rows[60:], first=60)
    parts[0].update(rows[:25])
    parts[0].update(rows[25:60])
    parts[0].merge(pickle.loads(pickle.dumps(parts[1])))
    found = parts[0].gaussian()
    assert found.count == 100
    assert found.mean == pytest.approx(rows.mean(0, dtype=np.float64), rel=1e-12)
    assert found.covariance == pytest.approx(np.cov(rows, rowvar=False), rel=1e-9, abs=1e-12)
    with pytest.raises(UsageError, match="taken before"):
        parts[0].merge(parts[1])


def test_features_of_a_stream_are_those_of_the_set() -> None:
    x, y = draw(0, 50, 8), draw(1, 60, 8)
    held = FeatureSet()
    held.update(y[20:], first=20)
    held.update(y[:20], first=0)
    assert frechet_distance(x, held) == frechet_distance(x, y)


def test_the_result_says_what_went_in() -> None:
    result = frechet_distance(draw(0, 3000, 2), draw(1, 40, 2))
    assert result.metric == "fid"
    assert result.images == {"real": 3000, "fake": 40}
    (warning,) = result.warnings
    assert warning.startswith("40 fake images: fewer than 2,048")
    assert warning.endswith("the protocol takes 50,000 fakes")
    assert result.standard_error is None


@pytest.mark.parametrize(
    ("real", "fake", "said"),
    [
        (40, 40, "40 real and 40 fake images: fewer than 2,048"),
        (40, 50_000, "40 real images: fewer than 2,048"),
        (4_000, 4_000, "4,000 fake images: the protocol takes 50,000"),
        (None, 50_000, "real: the number of images is not known"),
    ],
)
def test_few_images_are_told_once(real: int | None, fake: int, said: str) -> None:
    sides = [Gaussian(np.zeros(2), np.eye(2), count) for count in (real, fake)]
    (warning,) = frechet_distance(*sides).warnings
    assert warning.startswith(said)


def test_the_protocol_gives_no_warning() -> None:
    side = Gaussian(np.zeros(2), np.eye(2), 50_000)
    assert frechet_distance(side, side).warnings == ()


def test_the_jackknife_knows_the_spread_and_takes_the_bias() -> None:
    # Equal distributions: the distance is all bias, and what is left without it is spread.
    real = Gaussian(mean=np.zeros(6), covariance=np.eye(6), count=50_000)
    random = np.random.default_rng(3)
    results = [
        frechet_distance(real, random.normal(size=(400, 6)) + 0.2, jackknife_groups=10, seed=seed)
        for seed in range(60)
    ]
    values = np.array([result.value for result in results])
    errors = np.array([result.standard_error for result in results])
    extrapolated = np.array([result.components["extrapolated"] for result in results])
    assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.25)
    spread = values.std(ddof=1) / np.sqrt(60)
    assert extrapolated.mean() == pytest.approx(6 * 0.04, abs=3 * spread)
    assert values.mean() - 6 * 0.04 > 5 * spread


def test_the_jackknife_leaves_every_group_out_once() -> None:
    x, y = draw(0, 50, 4), draw(1, 24, 4)
    result = frechet_distance(x, y, jackknife_groups=6, seed=2)
    groups = generator(2, "frechet jackknife").permutation(24).reshape(6, 4)
    values = np.array([frechet_distance(x, np.delete(y, group, axis=0)).value for group in groups])
    expected = 6 * result.value - 5 * values.mean()
    assert result.components["extrapolated"] == pytest.approx(expected)
    assert result.standard_error == pytest.approx(np.sqrt(5 / 6 * values.var() * 6))


@pytest.mark.parametrize("decay", [5, 20, 60])
def test_small_eigenvalues_count(decay: float) -> None:
    scales = np.exp(-decay * np.arange(100) / 100)
    turned = scipy.linalg.qr(np.random.default_rng(0).normal(size=(100, 100)))[0]
    sides = [
        Gaussian(mean=np.zeros(100), covariance=k * (turned * scales) @ turned.T, count=9000)
        for k in (1, 4)
    ]
    assert frechet_distance(*sides).value == pytest.approx(scales.sum(), rel=1e-9)


def test_the_jackknife_is_the_same_for_the_same_seed() -> None:
    x, y = draw(0, 50, 8), draw(1, 30, 8)
    first, again, other = (
        frechet_distance(x, y, jackknife_groups=5, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.standard_error != other.standard_error
    assert first.value == other.value == frechet_distance(x, y).value
    assert first.interval[0] < first.value < first.interval[1]


def test_a_jackknife_takes_features() -> None:
    rows = draw(0, 20, 3)
    with pytest.raises(UsageError, match="takes the features"):
        frechet_distance(rows, statistics_of(rows), jackknife_groups=4)
    with pytest.raises(UsageError, match="11 jackknife groups of 20 images"):
        frechet_distance(rows, rows, jackknife_groups=11)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_images(count: int) -> None:
    rows = draw(0, 20, 3)
    with pytest.raises(DataError, match=f"fake: {count} images?; "):
        frechet_distance(rows, rows[:count])
    with pytest.raises(DataError, match=f"{count} images?; a covariance takes 2"):
        frechet_distance(statistics_of(rows[:count]), rows)


def test_bad_features() -> None:
    rows = draw(0, 20, 3)
    with pytest.raises(DataError, match=r"3 dimensions \(real\) against 2 \(fake\)"):
        frechet_distance(rows, rows[:, :2])
    spoilt = np.where(np.arange(20)[:, None] == 7, np.nan, rows)
    with pytest.raises(DataError, match="real: 1 of 20 rows hold NaN or infinity, row 7 first"):
        frechet_distance(spoilt, rows)
    with pytest.raises(DataError, match="2 dimensions among those of 3"):
        statistics_of(rows).update(rows[:, :2])


@pytest.mark.parametrize(
    ("mean", "covariance", "message"),
    [
        (np.zeros(2), np.eye(3), r"mean of shape \(2,\), covariance of \(3, 3\)"),
        (np.zeros((2, 2)), np.eye(2), r"mean of shape \(2, 2\)"),
        (np.array([0, np.nan]), np.eye(2), "NaN or infinity"),
        (np.zeros(2), np.array([[1, 0.5], [0, 1]]), "not symmetric, by 0.5 where 1 is most"),
        (np.zeros(2), np.diag([1.0, -1.0]), "a variance of -1"),
    ],
)
def test_what_is_no_gaussian(mean: np.ndarray, covariance: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Gaussian(mean=mean, covariance=covariance, count=None)


def test_a_covariance_with_eigenvalues_below_zero_is_refused() -> None:
    """Its variances are all above 0, and the factor stops at the first pivot that is not."""
    random = np.random.default_rng(0).normal(size=(500, 500))
    covariance = (random + random.T) / 2
    np.fill_diagonal(covariance, 3.0)
    assert np.linalg.eigvalsh(covariance)[0] < -20
    bad = Gaussian(mean=np.zeros(500), covariance=covariance, count=9000)
    good = Gaussian(mean=np.zeros(500), covariance=np.eye(500), count=9000)
    for sides in ((good, bad), (bad, good)):
        with pytest.raises(DataError, match=r"eigenvalues below 0: .* the trace is 1500; expected"):
            frechet_distance(*sides)


@pytest.mark.parametrize("count", [3, 30, 59, 61, 200])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_covariance_of_few_images_in_float32_is_one(count: int, dtype: type) -> None:
    rows = draw(0, count, 60, decay=6)
    covariance = np.cov(rows, rowvar=False).astype(dtype).astype(np.float64)
    stored = Gaussian(mean=rows.mean(0, dtype=np.float64), covariance=covariance, count=count)
    np.testing.assert_allclose(
        stored.factor @ stored.factor.T, covariance, atol=1e-5 * np.trace(covariance)
    )
    assert frechet_distance(stored, rows).value == pytest.approx(0, abs=1e-2 * np.trace(covariance))
