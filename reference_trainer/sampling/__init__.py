"""Pictures and films from a run.

A picture is named by its seed: one number gives its latent vector (and its label, where the run has
labels), in every command and in the grids of training. `run_source` makes a run readable wherever a
data set is, `generate` writes pictures, `walk` and `timelapse` make films.
"""

from reference_trainer.sampling.generate import (
    draw_grid,
    parse_seeds,
    records_of_seeds,
    seed_key,
    write_pictures,
)
from reference_trainer.sampling.grids import (
    fixed_latents,
    grid_picture,
    labels_of_seeds,
    latents_of_seeds,
    parse_grid,
    to_uint8,
)
from reference_trainer.sampling.opening import find_checkpoint, open_sampler, settings_of_run
from reference_trainer.sampling.run_source import PICTURES_OF_A_RUN, RunSource, open_run
from reference_trainer.sampling.sampler import ImageGenerator, Sampler, SamplerInfo
from reference_trainer.sampling.timelapse import (
    SavedGrid,
    find_grids,
    growth_frames,
    held_frames,
)
from reference_trainer.sampling.video import (
    VideoSettings,
    film_frames,
    prepare_video,
    write_video,
)
from reference_trainer.sampling.walk import latent_walk, walk_frames

__all__ = [
    "PICTURES_OF_A_RUN",
    "ImageGenerator",
    "RunSource",
    "Sampler",
    "SamplerInfo",
    "SavedGrid",
    "VideoSettings",
    "draw_grid",
    "film_frames",
    "find_checkpoint",
    "find_grids",
    "fixed_latents",
    "grid_picture",
    "growth_frames",
    "held_frames",
    "labels_of_seeds",
    "latent_walk",
    "latents_of_seeds",
    "open_run",
    "open_sampler",
    "parse_grid",
    "parse_seeds",
    "prepare_video",
    "records_of_seeds",
    "seed_key",
    "settings_of_run",
    "to_uint8",
    "walk_frames",
    "write_pictures",
    "write_video",
]
