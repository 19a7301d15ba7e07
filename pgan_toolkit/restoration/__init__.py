"""What restores a photograph before it is cropped."""

from pgan_toolkit.restoration.opening import (
    RESTORERS,
    PrecisionChoice,
    open_restorer,
    resolve_choices,
)
from pgan_toolkit.restoration.restorer import LanczosRestorer, Restorer, Step
from pgan_toolkit.restoration.tiling import grown_box

__all__ = [
    "RESTORERS",
    "LanczosRestorer",
    "PrecisionChoice",
    "Restorer",
    "Step",
    "grown_box",
    "open_restorer",
    "resolve_choices",
]
