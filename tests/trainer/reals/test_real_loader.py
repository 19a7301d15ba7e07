import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from square_sets import reals_of, write_squares

import reference_trainer.reals.loader as loader_module
import reference_trainer.reals.real_images as real_images_module
from pgan_toolkit.errors import DataError
from reference_trainer.reals import BatchPlan, RealImages, RealLoader
from reference_trainer.reals.squares import SquareReader

CPU = torch.device("cpu")
PLANS = [BatchPlan(0, 8, 4), BatchPlan(8, 8, 4), BatchPlan(16, 4, 8), BatchPlan(20, 2, 16)]


@pytest.fixture(params=["prepared", "decoded"])
def reals(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> RealImages:
    write_squares(tmp_path / "set", labelled=True)
    if request.param == "decoded":
        monkeypatch.setattr(real_images_module, "_MOST_IN_MEMORY_BYTES", 0)
    return reals_of(tmp_path / "set", conditional=True)


def _no_threads_left() -> bool:
    return not [thread for thread in threading.enumerate() if thread.name.startswith("reals")]


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_gives_the_plans_in_their_order_whatever_the_threads(
    reals: RealImages, workers: int
) -> None:
    with RealLoader(reals, PLANS, device=CPU, workers=workers) as loader:
        batches = list(loader)
    assert len(batches) == len(PLANS)
    for plan, batch in zip(PLANS, batches, strict=True):
        expected = reals.batch(plan.first_position, plan.count, plan.resolution)
        assert torch.equal(batch.images, expected.images)
        assert batch.labels is not None
        assert expected.labels is not None
        assert torch.equal(batch.labels, expected.labels)
    assert _no_threads_left()


def test_works_ahead_over_a_change_of_resolution_but_not_without_bound(reals: RealImages) -> None:
    taken = []

    def plans() -> Iterator[BatchPlan]:
        for number in itertools.count():
            taken.append(number)
            yield BatchPlan(4 * number, 4, 4 if number < 2 else 8)

    with RealLoader(reals, plans(), device=CPU) as loader:
        assert next(loader).images.shape == (4, 3, 4, 4)
        assert 4 <= len(taken) <= 10
        for _ in range(20):
            next(loader)
        assert len(taken) <= 30
    assert _no_threads_left()


def test_no_more_than_two_large_minibatches_are_ahead(
    reals: RealImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader_module, "_MOST_AHEAD_BYTES", 1)
    taken = []

    def plans() -> Iterator[BatchPlan]:
        for number in range(50):
            taken.append(number)
            yield BatchPlan(4 * number, 4, 8)

    with RealLoader(reals, plans(), device=CPU) as loader:
        next(loader)
        assert len(taken) == 3


def test_a_damaged_picture_is_named_at_its_minibatch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real_images_module, "_MOST_IN_MEMORY_BYTES", 0)
    write_squares(tmp_path / "set", 12)
    reals = reals_of(tmp_path / "set", seed=0)
    last = int(reals._order.at(11, 1).indices[0])
    file = tmp_path / "set" / f"{last:04d}.png"
    file.write_bytes(file.read_bytes()[:-80])
    plans = [BatchPlan(first, 4, 8) for first in (0, 4, 8)]
    with RealLoader(reals, plans, device=CPU) as loader:
        next(loader)
        next(loader)
        with pytest.raises(DataError, match=rf"{last:04d}\.png: the picture is damaged"):
            next(loader)
        assert _no_threads_left()
        with pytest.raises(StopIteration):
            next(loader)


def test_an_error_in_the_plans_ends_the_threads(reals: RealImages) -> None:
    def plans() -> Iterator[BatchPlan]:
        yield BatchPlan(0, 2, 4)
        raise ValueError("no more plans")

    loader = RealLoader(reals, plans(), device=CPU)
    with pytest.raises(ValueError, match="no more plans"):
        list(loader)
    assert _no_threads_left()


def test_an_error_in_the_loop_ends_the_threads(reals: RealImages) -> None:
    def train() -> None:
        plans = (BatchPlan(4 * number, 4, 16) for number in itertools.count())
        with RealLoader(reals, plans, device=CPU) as loader:
            next(loader)
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        train()
    assert _no_threads_left()


def test_an_interrupt_while_waiting_ends_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_squares(tmp_path / "set")
    monkeypatch.setattr(real_images_module, "_MOST_IN_MEMORY_BYTES", 0)
    reals = reals_of(tmp_path / "set")

    def slow(self: SquareReader, index: int, *resolutions: int) -> list[np.ndarray]:
        time.sleep(0.5)
        return [np.zeros((3, size, size), np.uint8) for size in resolutions]

    monkeypatch.setattr(SquareReader, "read", slow)
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    loader = RealLoader(reals, [BatchPlan(0, 64, 16)], device=CPU, workers=2)
    with pytest.raises(KeyboardInterrupt):
        next(loader)
    assert _no_threads_left()


def test_no_plans_are_no_minibatches(reals: RealImages) -> None:
    with RealLoader(reals, [], device=CPU) as loader:
        assert list(loader) == []


@pytest.mark.usefixtures("cuda")
def test_puts_minibatches_on_the_gpu(reals: RealImages) -> None:
    device = torch.device("cuda")
    with RealLoader(reals, PLANS, device=device) as loader:
        for plan, batch in zip(PLANS, loader, strict=True):
            expected = reals.batch(plan.first_position, plan.count, plan.resolution)
            assert batch.images.device.type == "cuda"
            assert torch.equal(batch.images.cpu(), expected.images)
            assert batch.labels is not None
            assert expected.labels is not None
            assert torch.equal(batch.labels.cpu(), expected.labels)
