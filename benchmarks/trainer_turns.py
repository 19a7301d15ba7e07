"""The trainer's step against the plain one, turn by turn in one process, by the processor's clock.

For a machine that is busy with something else, where `trainer.py speed` would measure that: the
programs take turns, so that whatever slows one slows the others, and the least time of each counts.
One thread, the networks of `celebahq-1024`, the paper's minibatches, nothing fades. Example::

    python benchmarks/trainer_turns.py --sizes 4,8,16 --turns 4 --json turns.json

Beside ours stands the same step with PyTorch's own derivatives in the gradient penalty, in place of
those of `reference_trainer/networks/convolution.py`.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import torch
from trainer_speed import step_of

from pgan_toolkit.devices import has_bfloat16
from reference_trainer.training import gradients

__all__ = ["least_times"]


def least_times(steps: Mapping[str, Callable[[], object]], *, turns: int) -> dict[str, float]:
    """Return the least processor seconds of each step, over so many turns after one to warm up.

    Parameters
    ----------
    steps : mapping of str to callable
        What takes turns.
    turns : int
        1 or more.
    """
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(turns + 1):
        for name, step in steps.items():
            begun = time.process_time()
            step()
            if turn > 0:
                times[name].append(time.process_time() - begun)
    return {name: min(found) for name, found in times.items()}


def main() -> None:
    """Measure, print and keep a row for each resolution."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--sizes", default="4,8,16", help="pixels")
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    kinds = ["float32", *(["bfloat16"] if has_bfloat16(torch.device("cpu")) else [])]
    rows = []
    for size in map(int, arguments.sizes.split(",")):
        steps = {name: step_of(name, size) for name in ("plain", *kinds)}
        steps |= {f"{kind}, PyTorch's penalty": _by_pytorch(steps[kind]) for kind in kinds}
        found = least_times(steps, turns=arguments.turns)
        rows.append(
            {
                "resolution": size,
                "processor_seconds": {name: round(value, 4) for name, value in found.items()},
                "share_of_plain": {name: round(found[name] / found["plain"], 2) for name in kinds},
                "share_of_pytorch_s_penalty": {
                    kind: round(found[kind] / found[f"{kind}, PyTorch's penalty"], 2)
                    for kind in kinds
                },
                "load_average": round(os.getloadavg()[0], 1),
            }
        )
        print(json.dumps(rows[-1]), flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def _by_pytorch(step: Callable[[], object]) -> Callable[[], object]:
    def run() -> object:
        with mock.patch.object(gradients, "derivable_twice", nullcontext):
            return step()

    return run


if __name__ == "__main__":
    main()
