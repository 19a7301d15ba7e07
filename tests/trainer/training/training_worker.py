"""One of two processes that train together; started by a test with torchrun's variables.

python training_worker.py FOLDER: trains, compares, loses its companion, and writes what came of it.
"""

import json
import os
import sys
from pathlib import Path

import torch
from small_runs import small_settings, trained, weights_of

from pgan_toolkit.errors import PganError
from reference_trainer.training.distributed import World, joined_world, module_digest

CASES: dict[str, dict[str, object]] = {
    "plain": {"minibatch_size": 8},
    "stddev": {"minibatch_size": 8, "minibatch_statistic": "stddev", "microbatch_size": 4},
    "joint": {"minibatch_size": 8, "joint_update": True, "conditional": True},
}


def run_case(name: str, world: World) -> dict[str, torch.Tensor]:
    settings = small_settings(**CASES[name])
    labels = 10 if settings.data.conditional else 0
    step, losses = trained(settings, world=world, labels=labels)
    world.require_same(module_digest(step.generator, step.discriminator), "the weights")
    values = {f"losses.{key}": torch.tensor(value) for key, value in losses.items()}
    return weights_of(step) | values


def train(world: World, folder: Path) -> None:
    found = {name: run_case(name, world) for name in CASES}
    assert world.any(world.rank == 1)
    assert not world.any(False)
    world.wait()
    if world.rank == 0:
        torch.save(found, folder / "weights.pt")


def part_ways(world: World, folder: Path) -> None:
    """Differ first; then the second one dies, as if it were killed."""
    messages = []
    try:
        world.require_same(f"digest {world.rank}", "the first weights")
    except PganError as error:
        messages.append(str(error))
    world.wait()
    if world.rank == 1:
        os._exit(9)
    settings = small_settings()
    try:
        trained(settings, world=world)
    except PganError as error:
        messages += [str(error), str(error.exit_code)]
    (folder / "messages.json").write_text(json.dumps(messages))


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined_world("cpu", timeout_s=60) as world:
        train(world, Path(sys.argv[1]))
        part_ways(world, Path(sys.argv[1]))
