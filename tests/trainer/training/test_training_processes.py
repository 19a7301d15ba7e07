import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from child_processes import Children
from small_runs import small_settings, small_step
from tiny_trainings import QUIET, tiny_settings, write_reals
from training_worker import CASES, run_case

from pgan_toolkit.errors import SetupError, UsageError
from reference_trainer.training.distributed import World, joined_world, module_digest
from reference_trainer.training.latents import Draws
from reference_trainer.training.start import check_reals

HERE = Path(__file__).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, module_children: Children) -> Path:
    """The folder to which two processes wrote what they had; the second died in the end."""
    folder = tmp_path_factory.mktemp("two")
    done = run_two(folder, module_children)
    assert [process.returncode for process in done] == [0, 9], done[0].stdout + done[1].stdout
    return folder


def run_two(folder: Path, children: Children) -> list[subprocess.CompletedProcess[str]]:
    shared = os.environ | {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "OMP_NUM_THREADS": "1",
    }
    processes = [
        children.start(
            [sys.executable, str(HERE / "training_worker.py"), str(folder)],
            env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    return [
        subprocess.CompletedProcess(process.args, process.returncode, output)
        for process, output in zip(processes, outputs, strict=True)
    ]


@pytest.mark.parametrize(("name", "index"), [("auto", 0), ("cuda", 0), ("cuda:1", 1)])
def test_one_gpu_is_made_the_current_one(
    name: str, index: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pinned memory is the current GPU's, and a device without a number is not equal to itself."""
    entered: list[torch.device] = []
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", entered.append)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    with joined_world(name) as world:
        assert world == World(device=torch.device("cuda", index))
        assert torch.backends.cudnn.benchmark
    assert entered == [torch.device("cuda", index)]


@pytest.mark.parametrize(("local_size", "threads"), [(1, 12), (5, 2), (100, 1)])
def test_processes_of_a_machine_share_its_cores(
    local_size: int, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reference_trainer.training.start.available_cores", lambda: 12)
    reals = write_reals(tmp_path / "reals")
    found = check_reals(
        tiny_settings(), data=reals, options=replace(QUIET, workers=None),
        world=World(local_size=local_size),
    )  # fmt: skip
    assert found.workers == threads


@pytest.mark.slow
def test_two_processes_learn_as_one_does(results: Path) -> None:
    """The gradient penalty too; a statistic of the minibatch is that of each process's share."""
    found = torch.load(results / "weights.pt", weights_only=True)
    for case in CASES:
        alone = run_case(case, World())
        assert found[case].keys() == alone.keys()
        for name, value in alone.items():
            torch.testing.assert_close(
                found[case][name], value, rtol=1e-4, atol=1e-5, msg=f"{case} {name}"
            )


@pytest.mark.slow
def test_a_process_whose_companion_dies_says_so(results: Path) -> None:
    different, dead, code = json.loads((results / "messages.json").read_text())
    assert "the first weights of process 1 are not those of process 0" in different
    assert "process 0 of 2, averaging gradients: another process has ended" in dead
    assert code == "4"


def test_without_torchrun_one_process_is_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with joined_world("cpu") as world:
        assert (world.rank, world.size, world.device.type) == (0, 1, "cpu")
        world.wait()
        world.require_same("anything", "the weights")
        assert world.any(True)
        assert not world.any(False)


def test_a_companion_that_never_comes_is_not_awaited_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"}
    for name, value in (given | {"MASTER_PORT": str(free_port())}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match="process 1 of 2 cannot join the others"):  # noqa: SIM117
        with joined_world("cpu", timeout_s=1):
            pass


@pytest.mark.parametrize(
    ("rank", "size", "message"),
    [("2", "2", "RANK=2: expected 0 to 1"), ("0", "two", "WORLD_SIZE=two: expected a whole")],
)
def test_variables_that_do_not_fit_are_refused(
    rank: str, size: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", size)
    with pytest.raises(UsageError, match=message), joined_world("cpu"):
        pass


def test_what_is_drawn_does_not_depend_on_the_number_of_processes() -> None:
    def drawn(world: World, share: int) -> Draws:
        return Draws(
            seed=3, update=5, minibatch_size=8, rows=world.rows(share), device=world.device
        )

    whole = drawn(World(), 8)
    halves = [drawn(World(rank, 2), 4) for rank in (0, 1)]
    for name in ("latents of D", "latents of G"):
        parts = [half.latents(name, 16) for half in halves]
        assert torch.equal(torch.cat(parts), whole.latents(name, 16))
    assert torch.equal(
        torch.cat([half.uniform("mixing") for half in halves]), whole.uniform("mixing")
    )
    kinds = [half.labels("labels", [1, 0, 9]) for half in halves]
    assert torch.equal(torch.cat(kinds), whole.labels("labels", [1, 0, 9]))
    assert whole.labels("labels", ()) is None


def test_draws_are_what_they_are_called() -> None:
    draws = Draws(
        seed=0, update=1, minibatch_size=4000, rows=slice(0, 4000), device=torch.device("cpu")
    )
    latents, uniform = draws.latents("latents of D", 4).numpy(), draws.uniform("mixing").numpy()
    np.testing.assert_allclose(latents.mean(), 0, atol=0.05)
    np.testing.assert_allclose(latents.std(), 1, atol=0.05)
    assert uniform.min() >= 0
    assert uniform.max() < 1
    np.testing.assert_allclose(uniform.mean(), 0.5, atol=0.03)
    kinds = draws.labels("labels", [30, 0, 10, 0])
    assert kinds.dtype == torch.int64
    assert set(kinds.tolist()) == {0, 2}  # as often as there are pictures of them
    np.testing.assert_allclose((kinds == 2).double().mean(), 0.25, atol=0.03)
    again = Draws(
        seed=0, update=2, minibatch_size=4000, rows=slice(0, 4000), device=torch.device("cpu")
    )
    assert not torch.equal(again.labels("labels", [30, 0, 10, 0]), kinds)
    assert not np.array_equal(draws.latents("latents of G", 4), latents)


def test_a_digest_is_of_every_weight() -> None:
    one, same, other = (small_step(small_settings(), seed=seed) for seed in (0, 0, 1))
    assert module_digest(one.generator) == module_digest(same.generator)
    assert module_digest(one.generator) != module_digest(other.generator)
    with torch.no_grad():
        next(same.generator.parameters()).view(-1)[0] += 1e-3
    assert module_digest(one.generator) != module_digest(same.generator)
