"""A run's folder: what is where, checkpoints, and how a run is found again."""

from reference_trainer.runs.checkpoints import (
    Checkpoints,
    load_generator,
    newest_checkpoint,
    read_saved,
)
from reference_trainer.runs.directory import RunFolder, is_run
from reference_trainer.runs.record import (
    DataFacts,
    begin_run,
    check_new,
    note_resume,
    read_data_facts,
)
from reference_trainer.runs.state import GeneratorState, Saved, TrainingState, describe_changes

__all__ = [
    "Checkpoints",
    "DataFacts",
    "GeneratorState",
    "RunFolder",
    "Saved",
    "TrainingState",
    "begin_run",
    "check_new",
    "describe_changes",
    "is_run",
    "load_generator",
    "newest_checkpoint",
    "note_resume",
    "read_data_facts",
    "read_saved",
]
