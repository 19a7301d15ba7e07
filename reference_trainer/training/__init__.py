"""The training itself: steps, many GPUs, measurements, and the loop around them."""

from reference_trainer.training.distributed import World, joined_world
from reference_trainer.training.options import RunOptions
from reference_trainer.training.planning import describe_run
from reference_trainer.training.profiling import profile_steps
from reference_trainer.training.start import (
    begin_training,
    check_checkpoint,
    check_reals,
    resume_training,
)

__all__ = [
    "RunOptions",
    "World",
    "begin_training",
    "check_checkpoint",
    "check_reals",
    "describe_run",
    "joined_world",
    "profile_steps",
    "resume_training",
]
