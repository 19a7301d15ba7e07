"""What a run is: its settings, the presets, and the files that hold them."""

from reference_trainer.configuration.settings import (
    Architecture,
    DataSettings,
    DiscriminatorSettings,
    GeneratorSettings,
    LossSettings,
    OptimizationSettings,
    OutputSettings,
    RunSettings,
    ScheduleSettings,
)

__all__ = [
    "Architecture",
    "DataSettings",
    "DiscriminatorSettings",
    "GeneratorSettings",
    "LossSettings",
    "OptimizationSettings",
    "OutputSettings",
    "RunSettings",
    "ScheduleSettings",
]
