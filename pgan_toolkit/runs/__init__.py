"""What runs of training share: a log, checkpoints, the wish to stop, and what they learn from."""

from pgan_toolkit.runs.checkpoint import (
    CheckpointKind,
    load_checkpoint,
    read_part,
    read_state,
    save_checkpoint,
)
from pgan_toolkit.runs.log import LogKey, TrainingLog
from pgan_toolkit.runs.pictures import pictures_digest
from pgan_toolkit.runs.stopping import StopRequests

__all__ = [
    "CheckpointKind",
    "LogKey",
    "StopRequests",
    "TrainingLog",
    "load_checkpoint",
    "pictures_digest",
    "read_part",
    "read_state",
    "save_checkpoint",
]
