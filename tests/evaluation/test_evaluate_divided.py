"""An evaluation by the workers of an engine gives the very numbers of one by this process."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from evaluated_sets import COUNT, pictures, write_set
from two_nodes import TwoNodes

from pgan_toolkit.engines import Engine, LocalEngine, open_engine
from pgan_toolkit.errors import DataError
from pgan_toolkit.evaluation import EvaluationSettings, Report, StatisticsCache, evaluate

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_inception")]

METRICS = ["swd", "ms-ssim", "fid", "kid", "precision-recall", "inception-score"]
QUIET = EvaluationSettings(mode="quiet", device="cpu", seed=3, batch_size=7)


def _numbers(report: Report) -> dict[str, object]:
    """All but when, how long and in how much memory."""
    return {"scores": report.scores, "real": report.real, "fake": report.fake,
            "measured": report.measured, "skipped": report.skipped}  # fmt: skip


def _evaluate(two_sets, engine: Engine | None, **options) -> Report:
    return evaluate(*two_sets, settings=replace(QUIET, engine=engine), **options)


def _require_the_same(two_sets, engine: Engine, **options) -> None:
    assert _numbers(_evaluate(two_sets, engine, **options)) == _numbers(
        _evaluate(two_sets, None, **options)
    )


def test_one_worker_gives_the_same(two_sets: tuple[Path, Path]) -> None:
    _require_the_same(two_sets, LocalEngine(1), metrics=METRICS)
    _require_the_same(two_sets, LocalEngine(1), metrics=METRICS, images=21)


@pytest.mark.parametrize("workers", [2, 3])
def test_processes_give_the_same(two_sets: tuple[Path, Path], workers: int) -> None:
    _require_the_same(two_sets, LocalEngine(workers), metrics=METRICS)


def test_a_cluster_of_two_nodes_gives_the_same(
    two_sets: tuple[Path, Path], two_nodes: TwoNodes
) -> None:
    with open_engine("ray", address=two_nodes.address, workers=0) as engine:
        _require_the_same(two_sets, engine, metrics=METRICS)


@pytest.mark.parametrize("threads", [1, 3])
def test_any_number_of_threads_gives_the_same(two_sets: tuple[Path, Path], threads: int) -> None:
    before = torch.get_num_threads()
    one = _numbers(_evaluate(two_sets, None, metrics=METRICS))
    torch.set_num_threads(threads)
    try:
        assert _numbers(_evaluate(two_sets, LocalEngine(2), metrics=METRICS)) == one
        assert _numbers(_evaluate(two_sets, None, metrics=METRICS)) == one
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_what_workers_read_of_the_real_side_is_cached(
    two_sets: tuple[Path, Path], tmp_path: Path
) -> None:
    cache = StatisticsCache(tmp_path / "cache")
    first = _evaluate(two_sets, LocalEngine(1), metrics=METRICS, cache=cache)
    assert list((tmp_path / "cache").glob("*.npz"))
    again = _evaluate(two_sets, None, metrics=METRICS, cache=cache)
    assert again.scores == first.scores == _evaluate(two_sets, None, metrics=METRICS).scores


def test_sizes_that_change_skip_what_takes_one(two_sets: tuple[Path, Path]) -> None:
    write_set(two_sets[1], pictures(6, 3, size=64), first=COUNT + 6)
    _require_the_same(two_sets, LocalEngine(1), metrics=["fid"])
    with pytest.raises(DataError, match="64x64"):
        _evaluate(two_sets, LocalEngine(1), metrics=["ms-ssim"])


def test_sizes_that_change_in_the_reals_skip_what_takes_one(
    two_sets: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "pgan_toolkit.evaluation.comparing.selecting.find_weights"
    monkeypatch.setattr(place, lambda *_, **__: Path())
    write_set(two_sets[0], pictures(6, 3, size=64), first=COUNT - 3)
    _require_the_same(two_sets, LocalEngine(1))
    assert "64x64" in _evaluate(two_sets, LocalEngine(1)).skipped["swd"]


def test_a_bad_picture_is_named(two_sets: tuple[Path, Path]) -> None:
    (two_sets[1] / "033.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"033\.png"):
        _evaluate(two_sets, LocalEngine(1), metrics=["ms-ssim"])


def test_the_pictures_of_a_generator_are_made_here(two_sets: tuple[Path, Path]) -> None:
    def generate(count: int, seed: int):
        return pictures(seed, count).transpose(0, 3, 1, 2)

    engine = LocalEngine(2)  # to which a local function could not be sent
    found = evaluate(
        two_sets[0], generate, metrics=["ms-ssim"], images=8, settings=replace(QUIET, engine=engine)
    )
    assert found.fake["images"] == 8
