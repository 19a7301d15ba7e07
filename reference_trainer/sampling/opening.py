"""From a run's folder to what draws its pictures."""

import warnings
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import torch

from pgan_toolkit.devices import find_device, whole_float32
from pgan_toolkit.errors import DataError
from reference_trainer.configuration import RunSettings, read_settings
from reference_trainer.networks import Generator, build_networks
from reference_trainer.runs import (
    GeneratorState,
    RunFolder,
    load_generator,
    newest_checkpoint,
    read_data_facts,
)
from reference_trainer.sampling.grids import present_classes
from reference_trainer.sampling.sampler import Sampler, SamplerInfo
from reference_trainer.schedule import phase_at

__all__ = ["find_checkpoint", "open_sampler", "settings_of_run"]


def settings_of_run(run: Path) -> RunSettings:
    """Read the settings of the run in a folder.

    Raises
    ------
    DataError
        There is no run in it, or it is damaged.
    """
    folder = RunFolder(run)
    read_data_facts(folder)
    return read_settings(folder.settings)


def find_checkpoint(run: Path) -> Path:
    """Return the newest checkpoint of the run in a folder.

    Raises
    ------
    DataError
        There is no run, or it has none yet.
    """
    folder = RunFolder(run)
    read_data_facts(folder)
    found = newest_checkpoint(folder)
    if found is None:
        raise DataError(
            f"{run}: the run has no checkpoint yet; let it reach its first one, or go on with it "
            f"(pgan-toolkit train --resume {run})"
        )
    return found


def open_sampler(run: Path, *, checkpoint: Path | None = None, device: str = "auto") -> Sampler:
    """Load the average generator of a run.

    On CUDA this turns TF32 off, and leaves it off, in the whole process: see `_turn_tf32_off`.

    Parameters
    ----------
    run : Path
        The run's folder.
    checkpoint : Path | None
        The file; None: the newest.
    device : str
        As `find_device` takes it.

    Raises
    ------
    UsageError, SetupError
        There is no such device.
    DataError
        There is no run or no checkpoint, or it is damaged.
    """
    where = find_device(device)
    path = find_checkpoint(run) if checkpoint is None else checkpoint
    read_data_facts(RunFolder(run))
    state = load_generator(path)
    if where.type == "cuda":
        _turn_tf32_off()
    return Sampler(_generator(state, path).to(where), _info(state, path), device=where)


def _generator(state: GeneratorState, path: Path) -> Generator:
    # Without memory first: settings that others wrote may be of a network that nobody could hold.
    with torch.device("meta"):
        _fill(_built(state), state, path)
    generator = _built(state)
    _fill(generator, state, path)
    generator.requires_grad_(requires_grad=False)
    return generator.eval()


def _built(state: GeneratorState) -> Generator:
    return build_networks(
        state.saved.settings,
        label_count=state.saved.data.label_count,
        generator=torch.Generator("cpu"),  # the checkpoint replaces whatever is drawn
    ).generator


def _fill(generator: Generator, state: GeneratorState, path: Path) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that nothing is copied where there is no memory
            generator.load_state_dict(state.weights)
    except RuntimeError as error:
        raise DataError(
            f"{path}: its weights are not those of its settings ({error}); take another checkpoint"
        ) from error


def _info(state: GeneratorState, path: Path) -> SamplerInfo:
    settings = state.saved.settings
    phase = phase_at(state.saved.state.images_shown, settings)
    return SamplerInfo(
        name=str(path),
        resolution=settings.data.resolution,
        stage_resolution=phase.resolution,
        alpha=phase.alpha,
        latent_size=settings.generator.latent_size,
        label_count=state.saved.data.label_count,
        classes=present_classes(state.saved.data.label_counts),
    )


@cache
def _turn_tf32_off() -> ExitStack:
    """Leave TF32 off in this process: a picture shall not depend on what else computes meanwhile.

    The setting is the process's. Metrics switch it off and back around their own work; a thread
    that draws pictures in between and did the same would switch it back under their feet.
    """
    stack = ExitStack()
    stack.enter_context(whole_float32())
    return stack
