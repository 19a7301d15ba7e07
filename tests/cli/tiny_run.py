"""The folder of a run that was trained for no step, as the trainer leaves it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from pgan_toolkit.imaging import encode_png
from reference_trainer.configuration import (
    DataSettings,
    DiscriminatorSettings,
    GeneratorSettings,
    OutputSettings,
    RunSettings,
    ScheduleSettings,
)
from reference_trainer.networks import Generator, build_networks
from reference_trainer.runs import Checkpoints, DataFacts, RunFolder, TrainingState, begin_run

SIZE = 16


def tiny_settings(*, conditional: bool = False) -> RunSettings:
    """4x4 for a kimg, then half a kimg each of fading and of 8x8, ..."""
    return RunSettings(
        preset="tiny",
        data=DataSettings(resolution=SIZE, conditional=conditional),
        generator=GeneratorSettings(latent_size=8, g_map_base=32, g_map_most=8),
        discriminator=DiscriminatorSettings(d_map_base=32, d_map_most=8),
        schedule=ScheduleSettings(total_kimg=10, stable_kimg=1, fade_kimg=1),
        output=OutputSettings(grid="4x2"),
    )


def tiny_run(path: Path, *, kimgs: Sequence[float] = (9,), label_count: int = 0) -> RunFolder:
    """Make a run with a checkpoint, and a grid of pictures, at each of these kimg."""
    folder = RunFolder(path)
    settings = tiny_settings(conditional=label_count > 0)
    data = DataFacts(path="/faces", pictures=100, label_count=label_count, digest="ab" * 32)
    begin_run(folder, settings, data=data, device=torch.device("cpu"))
    kept = replace(settings, output=replace(settings.output, keep_checkpoints=99))
    checkpoints = Checkpoints(folder, settings=kept, data=data)
    for kimg in kimgs:
        generator = tiny_generator(settings, label_count=label_count, seed=int(kimg * 10))
        state = TrainingState(images_shown=int(kimg * 1000), steps=int(kimg * 100))
        checkpoints.save({"generator_ema": generator}, state)
        folder.fakes_folder.mkdir(exist_ok=True)
        side = 4 if kimg < 1 else 8 if kimg < 3 else 16
        page = np.full((2 * side, 4 * side, 3), int(kimg * 20), np.uint8)
        folder.fakes(kimg).write_bytes(encode_png(page))
    return folder


def tiny_generator(settings: RunSettings, *, label_count: int, seed: int) -> Generator:
    """Random weights, which give pictures that differ by seed."""
    networks = build_networks(
        settings, label_count=label_count, generator=torch.Generator().manual_seed(seed)
    )
    return networks.generator
