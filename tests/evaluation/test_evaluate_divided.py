"""An evaluation by the workers of an engine gives the very numbers of one by this process."""

from dataclasses import replace
from pathlib import Path

import pytest
from evaluated_sets import COUNT, pictures, write_set
from two_nodes import TwoNodes

from pgan_toolkit.engines import Engine, LocalEngine, open_engine
from pgan_toolkit.errors import DataError
from pgan_toolkit.evaluation import EvaluationSettings, Report, StatisticsCache, evaluate

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small")]

METRICS = ["swd", "ms-ssim", "fid", "kid", "precision-recall", "inception-score"]
QUIET = EvaluationSettings(mode="quiet", device="cpu", seed=3, batch_size=7)


def _numbers(report: Report) -> dict[str, object]:
    """All but when, how long and in how much memory."""
    return {"scores": report.scores, "real": report.real, "fake": report.fake,
            "measured": report.measured, "skipped": report.skipped}  # fmt: skip


def _evaluate(sets, engine: Engine | None, **options) -> Report:
    return evaluate(*sets, settings=replace(QUIET, engine=engine), **options)


def _require_the_same(sets, engine: Engine, **options) -> None:
    assert _numbers(_evaluate(sets, engine, **options)) == _numbers(
        _evaluate(sets, None, **options)
    )


def test_one_worker_gives_the_same(sets: tuple[Path, Path]) -> None:
    _require_the_same(sets, LocalEngine(1), metrics=METRICS)
    _require_the_same(sets, LocalEngine(1), metrics=METRICS, images=21)


@pytest.mark.parametrize("workers", [2, 3])
def test_processes_give_the_same(sets: tuple[Path, Path], workers: int) -> None:
    _require_the_same(sets, LocalEngine(workers), metrics=METRICS)


def test_a_cluster_of_two_nodes_gives_the_same(
    sets: tuple[Path, Path], two_nodes: TwoNodes
) -> None:
    with open_engine("ray", address=two_nodes.address, workers=0) as engine:
        _require_the_same(sets, engine, metrics=METRICS)


def test_what_workers_read_of_the_real_side_is_cached(
    sets: tuple[Path, Path], tmp_path: Path
) -> None:
    cache = StatisticsCache(tmp_path / "cache")
    first = _evaluate(sets, LocalEngine(1), metrics=METRICS, cache=cache)
    assert list((tmp_path / "cache").glob("*.npz"))
    again = _evaluate(sets, None, metrics=METRICS, cache=cache)
    assert again.scores == first.scores == _evaluate(sets, None, metrics=METRICS).scores


def test_sizes_that_change_skip_what_takes_one(sets: tuple[Path, Path]) -> None:
    write_set(sets[1], pictures(6, 3, size=64), first=COUNT + 6)
    _require_the_same(sets, LocalEngine(1), metrics=["fid"])
    with pytest.raises(DataError, match="64x64"):
        _evaluate(sets, LocalEngine(1), metrics=["ms-ssim"])


def test_a_bad_picture_is_named(sets: tuple[Path, Path]) -> None:
    (sets[1] / "033.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"033\.png"):
        _evaluate(sets, LocalEngine(1), metrics=["ms-ssim"])


def test_the_pictures_of_a_generator_are_made_here(sets: tuple[Path, Path]) -> None:
    def generate(count: int, seed: int):
        return pictures(seed, count).transpose(0, 3, 1, 2)

    engine = LocalEngine(2)  # to which a local function could not be sent
    found = evaluate(
        sets[0], generate, metrics=["ms-ssim"], images=8, settings=replace(QUIET, engine=engine)
    )
    assert found.fake["images"] == 8
