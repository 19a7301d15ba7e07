"""Training of the restoration networks: pictures, degradation, stages, checkpoints, the run."""

from pgan_toolkit.restoration.training.degradation import JpegDegradation, SuperresDegradation
from pgan_toolkit.restoration.training.folder import RestorerFolder
from pgan_toolkit.restoration.training.settings import (
    PRESETS,
    AdversarialSettings,
    JointSettings,
    TrainingSettings,
    preset,
)
from pgan_toolkit.restoration.training.trainer import train_restorer

__all__ = [
    "PRESETS",
    "AdversarialSettings",
    "JointSettings",
    "JpegDegradation",
    "RestorerFolder",
    "SuperresDegradation",
    "TrainingSettings",
    "preset",
    "train_restorer",
]
