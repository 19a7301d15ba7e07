"""What runs of training share: a log, checkpoints, and the wish to stop."""

from pgan_toolkit.runs.checkpoint import (
    CheckpointKind,
    load_checkpoint,
    read_part,
    read_state,
    save_checkpoint,
)
from pgan_toolkit.runs.log import TrainingLog
from pgan_toolkit.runs.stopping import StopRequests

__all__ = [
    "CheckpointKind",
    "StopRequests",
    "TrainingLog",
    "load_checkpoint",
    "read_part",
    "read_state",
    "save_checkpoint",
]
